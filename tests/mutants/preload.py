"""Imports what every trial needs, before the trials are forked: none of them waits for it.

Neither the app nor a plugin of pytest is here. Each trial has an app of its own, and pytest
rewrites its plugins when it imports them.
"""

from importlib import import_module
from typing import Any

for _name in (
    "aiokafka",
    "msgspec",
    "pydantic_settings",
    "pytest",
    "redis.asyncio",
    "scipy.sparse",
):
    import_module(_name)

# The first call sets the compiler up, which takes longer than most kernels.
_numba: Any = import_module("numba")
_numba.njit(lambda: 1)()
