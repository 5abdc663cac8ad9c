"""The fingerprint of a kernel changes with its result, so numba never loads code that is old."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamapp.core.arrays.compiled import Kernel, compiled, compiled_aside

INNER = """
from streamapp.core.arrays.compiled import compiled
SCALE = 2

@compiled
def inner(value):
    return value * SCALE
"""
OUTER = """
from inner import inner
from streamapp.core.arrays.compiled import compiled

@compiled
def outer(value):
    return inner(value) + 1

if __name__ == "__main__":
    print(outer(1))
"""


def result(folder: Path, inner: str) -> str:
    """Return the result of a new process with the kernels in a folder."""
    (folder / "inner.py").write_text(inner)
    (folder / "outer.py").write_text(OUTER)
    done = subprocess.run(
        [sys.executable, "outer.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_kernel_is_compiled_again_when_one_in_another_file_changes(tmp_path: Path) -> None:
    """Also when only a constant changes there; the cache on disk has the code of both versions."""
    assert result(tmp_path, INNER) == "3"
    assert result(tmp_path, INNER.replace("SCALE = 2", "SCALE = 5")) == "6"
    assert result(tmp_path, INNER) == "3"
    stored = {path.name.partition("-")[0] for path in tmp_path.glob("__pycache__/outer.outer_*")}
    assert len(stored) == 2


def fingerprint(source: str, names: Mapping[str, Any] | None = None) -> str:
    """Return the fingerprint of the function `kernel` that some source defines."""
    namespace: dict[str, Any] = dict(names or {})
    exec(source, namespace)  # noqa: S102 - a kernel in many versions
    return Kernel(namespace["kernel"]).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        "def kernel(x, y=1):\n    return x - y * A\n",
        "def kernel(x, y=1):\n    return x + y * B\n",
        "def kernel(x, y=2):\n    return x + y * A\n",
        "def kernel(x, y=1):\n    return x + y * A + 7\n",
        "def kernel(x, y=1):\n    return x + y * A + sum([x + 1 for _ in A])\n",
    ],
)
def test_a_change_of_code_changes_the_fingerprint(other: str) -> None:
    """An operator, a name, a default, a constant, an inner loop."""
    names = {"A": 3, "B": 3}
    assert fingerprint("def kernel(x, y=1):\n    return x + y * A\n", names) != fingerprint(
        other, names
    )


def test_a_kernel_that_is_compiled_aside_lets_other_threads_run() -> None:
    """All kernels keep their code on disk, and divide by zero as numpy does."""

    def kernel(x: int) -> int:
        return x

    for compile_, aside in ((compiled, None), (compiled_aside, True)):
        made: Any = compile_(kernel)
        assert re.fullmatch("[0-9a-f]{12}", made.fingerprint)
        assert made.dispatcher.targetoptions.get("nogil") is aside
        assert made.dispatcher.targetoptions["error_model"] == "numpy"
        assert "fastmath" not in made.dispatcher.targetoptions


def test_comments_and_positions_do_not_change_the_fingerprint() -> None:
    """A kernel is not compiled again for its docstring."""
    plain = fingerprint('def kernel(x):\n    """Add."""\n    return x + 1.5\n')
    assert plain == fingerprint(
        '\n\ndef kernel(x):\n    """Add\n\n    more."""\n    # A comment.\n    return x + 1.5\n'
    )


def test_every_kernel_has_the_same_fingerprint_in_every_process() -> None:
    """Otherwise no code would ever be loaded from the disk."""
    program = (
        "import streamapp.worker.warm, sys\n"
        "from streamapp.core.arrays.compiled import Kernel\n"
        "print(sorted({(kernel.__module__, kernel.__qualname__, kernel.fingerprint)\n"
        "    for module in list(sys.modules.values()) if module.__name__.startswith('streamapp.')\n"
        "    for kernel in vars(module).values() if isinstance(kernel, Kernel)}))\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    assert found[0].count("streamapp.") > 30
