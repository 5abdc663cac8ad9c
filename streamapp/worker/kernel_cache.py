"""Removes compiled code of earlier versions of the kernels."""

import sys
from collections import defaultdict
from pathlib import Path

from streamapp.core.arrays.compiled import Kernel


def remove_stale() -> int:
    """Remove the compiled code of kernels that have changed; return the number of files.

    The code of every kernel that is imported stays, and so does the code for other versions of
    Python. A process that is about to read a removed file compiles the kernel again.
    """
    kept: dict[Path, set[str]] = defaultdict(set)
    for module in [*sys.modules.values()]:
        for kernel in [*vars(module).values()] if module.__name__.startswith("streamapp.") else ():
            if isinstance(kernel, Kernel):
                function = kernel.dispatcher.py_func
                stem = Path(function.__code__.co_filename).stem
                name = f"{stem}.{function.__qualname__}-{function.__code__.co_firstlineno}"
                kept[Path(kernel.dispatcher.stats.cache_path)].add(name)
    ours, removed = f".py{sys.version_info[0]}{sys.version_info[1]}", 0
    for folder, names in kept.items():
        stems = {name.partition(".")[0] for name in names}
        for path in folder.glob("*.nb[ic]"):
            name, found, _ = path.name.partition(ours)
            if found and name.partition(".")[0] in stems and name not in names:
                path.unlink(missing_ok=True)
                removed += 1
    return removed
