"""A wrong clock for one process, by Debian's package `libfaketime`."""

from pathlib import Path

from tests.servers.backend import BackendError


def wrong_clock(ahead_s: int) -> dict[str, str]:
    """Return the environment of a process whose clock is ahead by some seconds.

    Its monotonic clock is right, as it is on a machine whose clock was set.

    Raises:
        BackendError: the library is not installed.
    """
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise BackendError("there is no libfaketime: apt-get install libfaketime")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": f"{ahead_s:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
