"""The quick tests on the unchanged tree: what each runs, how long it takes, and that all pass."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from coverage import CoverageData

from tests.mutants import tree
from tests.mutants.reach import Reach

QUICK = ("tests/unit", "tests/component", "tests/property")
"""Folders of quick tests."""

_ASIDE = tuple(
    f"tests/unit/{name}"
    for name in ("cli", "config", "embedded", "loadtest", "mutants", "project", "tooling", "worker")
)
"""They test documents, and programs in processes of their own: coverage sees no line of these."""

PYTEST = ("-p", "no:randomly", "-p", "no:cacheprovider", "-q", "-m", "not servers and not alone")

_COVERAGE = """\
[run]
relative_files = true
source = streamapp
"""


class BaselineError(Exception):
    """The quick tests do not pass on the unchanged tree, so they can judge no mutant."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of the unchanged tree.

    Attributes:
        root: A copy of it, with compiled kernels.
        reach: Which tests run which line.
        seconds: How long each test takes.
    """

    root: Path
    reach: Reach
    seconds: dict[str, float]


def baseline(project: Path, builds: Path, processes: int) -> Baseline:
    """Run the quick tests on a copy of the project, or read what an earlier run of it left.

    Args:
        project: The working tree; nothing is written there.
        builds: Where copies are kept, by the digest of what they copy.
        processes: Tests that run at a time.

    Raises:
        BaselineError: a test fails.
    """
    kept = builds / f"baseline-{tree.digest(project)}"
    if not kept.exists():
        making = builds / f"making-{token_hex(8)}"
        try:
            _make(project, making, processes)
            # Where another run was faster, its copy is as good.
            if not kept.exists():
                making.replace(kept)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    coverage = CoverageData(str(kept / "coverage"))
    coverage.read()
    root = kept / "tree"
    seconds: dict[str, float] = json.loads((kept / "seconds.json").read_text())
    return Baseline(root, Reach(root, coverage), seconds)


def _make(project: Path, folder: Path, processes: int) -> None:
    root = folder / "tree"
    tree.copy(project, root)
    (folder / "coveragerc").write_text(f"{_COVERAGE}data_file = {folder / 'coverage'}\n")
    # Compiled ahead, so that the durations are of tests and not of the compiler.
    _run(root, "streamapp.worker.warm")
    measured = ["--cov", f"--cov-config={folder / 'coveragerc'}", "--cov-context=test"]
    ignored = [f"--ignore={each}" for each in _ASIDE]
    # However long they take: the machine may be busy, and traced code is slow.
    chosen = [*PYTEST, "--timeout=0", "-n", str(processes), *ignored, *QUICK]
    clock = str(folder / "seconds.json")
    _run(root, "tests.mutants.timed", clock, *measured, "--cov-report=", *chosen)


def _run(root: Path, module: str, *arguments: str) -> None:
    """Run a module of a tree, without any setting of the machine.

    Raises:
        BaselineError: it fails.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        env=kept | {"PYTHONPATH": str(root), "STREAMAPP_TEST_DATA": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BaselineError(done.stdout)
