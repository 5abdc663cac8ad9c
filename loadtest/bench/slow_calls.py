"""Slow calls: commands that block Redis, which runs one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis import Redis

from streamapp.store.redis.scripts import script_text

_FROM_US = 500
_MOST = 10_000


@dataclass(slots=True)
class SlowCalls:
    """The calls that took Redis half a millisecond or longer.

    Attributes:
        count: How many there were.
        slowest_ms: How long the slowest took, in milliseconds; 0 if there was none.
        slowest: Its name: a command or a script.
    """

    count: int = 0
    slowest_ms: float = 0.0
    slowest: str = "-"


@contextmanager
def slow_calls(redis: Redis) -> Iterator[SlowCalls]:
    """Yield an object that is complete when the block ends; restore the server's settings."""
    wanted = {"slowlog-log-slower-than": _FROM_US, "slowlog-max-len": _MOST}
    before: dict[str, Any] = {name: redis.config_get(name)[name] for name in wanted}
    for name, limit in wanted.items():
        redis.config_set(name, limit)
    redis.slowlog_reset()
    found = SlowCalls()
    try:
        yield found
        entries: Any = redis.slowlog_get(_MOST)
        found.count = len(entries)
        if entries:
            slowest = max(entries, key=lambda entry: entry["duration"])
            found.slowest_ms = slowest["duration"] / 1000
            found.slowest = _name(slowest["command"].decode(errors="replace"))
    finally:
        for name, value in before.items():
            redis.config_set(name, value)


def _name(command: str) -> str:
    """Return the name of a call; scripts are known by the digest of their text."""
    words = command.split(" ", 2)
    for script in (files("streamapp.store.slot") / "lua").iterdir():
        text = script_text(script.name.removesuffix(".lua"))
        digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
        if words[1:2] == [digest]:
            return script.name
    return words[0]
