"""Copies of the project, so that nothing runs on the working tree."""

import hashlib
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

_IGNORED = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".cache",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "build",
    "dist",
    "*.egg-info",
)
_HASHED = ("streamapp", "tests", "pyproject.toml")
_UNSEEN = {"__pycache__", "mutants"}
"""Folders that change no test: compiled code, and this tool."""


def digest(root: Path) -> str:
    """Return a name for what the tests of a tree can see: its files and what compiles them."""
    total = hashlib.sha256(f"{sys.version} {version('numba')} {version('numpy')}".encode())
    for name in _HASHED:
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and not _UNSEEN & set(path.relative_to(root).parts):
                content = path.read_bytes()
                total.update(f"{path.relative_to(root)} {len(content)} ".encode() + content)
    return total.hexdigest()[:16]


def copy(root: Path, target: Path) -> None:
    """Copy a tree without what tools left in it; compiled code is left, since it may be stale."""
    shutil.copytree(root, target, ignore=_IGNORED, symlinks=True)


def link(base: Path, target: Path, path: str, text: str) -> None:
    """Make a tree of hard links to `base` in which one file is another.

    Python, numba and pytest write files under new names and rename them, so `base` never changes.
    Compiled kernels have a fingerprint of what they are made of (ADR-0004), so none of them is old.

    Args:
        base: A tree with compiled code.
        target: Where the new tree is made.
        path: The file that is another, relative to the root.
        text: Its content.
    """
    shutil.copytree(base, target, copy_function=os.link, symlinks=True)
    (target / path).unlink()
    (target / path).write_text(text)
