"""Compiled code of changed kernels is removed from the disk."""

import sys
from pathlib import Path

import numpy as np

from streamapp.core.arrays.compiled import Kernel
from streamapp.core.lists.list_digest import list_digest
from streamapp.worker.kernel_cache import remove_stale


def test_only_what_this_version_of_python_never_loads_again_is_removed() -> None:
    """The code of the current kernel stays, and so do files of other modules."""
    kernel = list_digest
    assert isinstance(kernel, Kernel)
    kernel(np.zeros(1, np.int32), np.zeros(1), np.zeros(1, np.int32))
    folder = Path(kernel.dispatcher.stats.cache_path)
    ours = f"py{sys.version_info[0]}{sys.version_info[1]}"
    stale = folder / f"list_digest.list_digest_0123456789ab-7.{ours}.1.nbc"
    kept = [
        folder / "list_digest.list_digest_0123456789ab-7.py20.nbi",
        folder / f"other.a_1-7.{ours}.nbi",
    ]
    for path in (stale, *kept):
        path.write_bytes(b"")
    try:
        assert remove_stale() >= 1
        assert not stale.exists()
        assert all(path.exists() for path in kept)
        assert list(folder.glob(f"list_digest.list_digest_{kernel.fingerprint}-*.nbc"))
        assert remove_stale() == 0
    finally:
        for path in (stale, *kept):
            path.unlink(missing_ok=True)
