"""The footprint: the memory of each class of keys in Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from redis import Redis

_SCAN_KEYS = 10_000
_SAMPLE_KEYS = 1_000

_STATE = {
    "items": "items",
    "norms": "norms",
    "popularity": "popularity",
    "availability": "availability",
    "categories": "categories",
    "tops": "categories",
    "touched": "categories",
    "content": "content neighbours",
    "audience": "audiences",
    "due": "audiences",
    "head": "heads",
}
"""Classes of keys of a slot, by the name of the key in it."""

_FEED = "norms:"
"""The first part of the name of a norm feed."""

_BLOBS = {"u": "histories", "i": "rows", "c": "products"}
"""Classes of blobs, by the first letter of their slot."""

CLASSES = ("lists", "user lists", *_BLOBS.values(), *dict.fromkeys(_STATE.values()), "norm feeds",
           "other")  # fmt: skip


def key_class(key: str, list_prefix: str, state_prefix: str) -> str:
    """Return which of `CLASSES` a key belongs to."""
    if key.startswith(list_prefix):
        return "user lists" if key.startswith(f"{list_prefix}user:") else "lists"
    if not key.startswith(state_prefix):
        return "other"
    tag, _, name = key.removeprefix(state_prefix).removeprefix("{").partition("}:")
    if name.startswith("b:"):
        return _BLOBS.get(tag[:1], "other")
    if name.startswith(_FEED):
        return "norm feeds"
    return _STATE.get(name, "other")


@dataclass(slots=True)
class _Reservoir:
    """A fair sample of keys that come one by one."""

    chance: Random
    seen: int = 0
    kept: list[bytes] = field(default_factory=list)

    def add(self, key: bytes) -> None:
        self.seen += 1
        if len(self.kept) < _SAMPLE_KEYS:
            self.kept.append(key)
        elif (place := self.chance.randrange(self.seen)) < _SAMPLE_KEYS:
            self.kept[place] = key


def measure(redis: Redis, prefix: str, list_prefix: str, state_prefix: str) -> dict[str, Any]:
    """Return keys and bytes by class, of all keys that begin with `prefix`.

    `MEMORY USAGE` runs on every key of a small class, and on a fair sample of a large one.
    """
    chance = Random(0)  # noqa: S311 - a sample
    classes = {name: _Reservoir(chance) for name in CLASSES}
    for key in redis.scan_iter(f"{prefix}*", count=_SCAN_KEYS):
        classes[key_class(key.decode(), list_prefix, state_prefix)].add(key)
    found = {}
    for name, keys in classes.items():
        if keys.seen:
            mean = sum(_bytes(redis, keys.kept)) / len(keys.kept)
            found[name] = {"keys": keys.seen, "bytes": round(mean * keys.seen)}
    return found


def _bytes(redis: Redis, keys: list[bytes]) -> Iterator[int]:
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            # Every element counts, not a sample of them, because a hash or list may be uneven.
            pipe.memory_usage(key, samples=0)
        yield from (int(used or 0) for used in pipe.execute())
