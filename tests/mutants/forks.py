"""Runs pytest in forks of a process that has imported the libraries."""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mutants.plugins import Hasty

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.mutants.preload"])


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may take.

    Attributes:
        cpu_s: CPU seconds after which a spinning process is killed, on a busy machine too.
        wall_s: Seconds after which a waiting process is killed.
        memory: Bytes of address space.
    """

    cpu_s: int
    wall_s: float
    memory: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal, None if it took too long.
        output: What it printed.
    """

    code: int | None
    output: str


def forked(tree: Path, arguments: Sequence[str], limits: Limits) -> Ended:
    """Run pytest on a tree, within limits, and kill what it started when it takes too long.

    It gets no setting of the machine, and imports the app and the tests from the tree.
    """
    printed = tree.parent / "output.txt"
    process = _CONTEXT.Process(target=_trial, args=(tree, printed, list(arguments), limits))
    process.start()
    try:
        process.join(limits.wall_s)
        code = process.exitcode
    finally:
        if process.exitcode is None and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        process.close()
    return Ended(code, printed.read_text(errors="replace"))


def _trial(tree: Path, printed: Path, arguments: list[str], limits: Limits) -> None:
    """Become a process of the tree, and run pytest there."""
    os.setsid()
    os.chdir(tree)
    with printed.open("w") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    _see_nothing_else(tree)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    code = int(pytest.main(arguments, [Hasty()]))
    sys.stdout.flush()
    # Threads of a mutant may never end, so the process does not wait for them.
    os._exit(code)


def _see_nothing_else(tree: Path) -> None:
    """Have imports and processes of this one look into the tree first."""
    for name in [name for name in os.environ if name.startswith("STREAMAPP_")]:
        del os.environ[name]
    scratch = tree.parent / "tmp"
    scratch.mkdir()
    os.environ |= {
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(scratch),
        "STREAMAPP_TEST_DATA": "",
    }
    sys.dont_write_bytecode, tempfile.tempdir = True, None
    sys.path.insert(0, str(tree))
    for name in [name for name in sys.modules if name.split(".")[0] in {"tests", "streamapp"}]:
        del sys.modules[name]
    import streamapp  # noqa: PLC0415 - of the tree, or nothing was tested

    if tree not in Path(streamapp.__file__).parents:
        sys.exit(f"{streamapp.__file__} is not in {tree}")
