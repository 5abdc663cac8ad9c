"""Norm feeds: each shard's norms, as other shards read them.

A feed grows at its end. When it has grown large, its owner writes another one under the other name
and with another token. The head says which feed is the current one and how long it is, and changes
with the position. So a reader sees norms that belong to a stored position only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot

_NAMES = "ab"
_READ_BYTES = 1_000_000

_LEAST_BYTES = 1_024
"""A feed of this size is never too large."""

_MOST = 1.5
"""A feed may be this many times as large as when it was begun."""

NORM_BYTES = 60
"""About what a norm takes in a feed."""


class FeedMark(NamedTuple):
    """Which feed a shard has, and how long it is.

    Attributes:
        name: The current one of the two names; "" before the first feed.
        token: Of this feed; no other feed has it.
        bytes: Its size.
        shared_at: The position at which the shard last shared a norm.
    """

    name: str = ""
    token: str = ""
    bytes: int = 0
    shared_at: int = 0

    @classmethod
    def of(cls, head: ShardHead | None) -> "FeedMark":
        """Return the mark in a head."""
        if head is None:
            return cls()
        name, _, token = head.norm_feed.partition(":")
        return cls(name, token, head.norm_feed_bytes, head.norms_shared)

    @property
    def text(self) -> str:
        """Name and token, as the head stores them."""
        return f"{self.name}:{self.token}" if self.name else ""

    def next(self, token: str) -> "FeedMark":
        """Return the mark of an empty feed under the other name."""
        name = _NAMES[1 - _NAMES.index(self.name)] if self.name else _NAMES[0]
        return FeedMark(name, token, 0, self.shared_at)


def feed_key(keys: SlotKeys, mark: FeedMark) -> str:
    """Return the key of a feed. String: segments of norms, one behind the other."""
    return f"{keys.norms}:{mark.name}"


def most_feed_bytes(begun: int) -> int:
    """Return the size up to which a feed grows that had so many bytes when it was begun."""
    return _LEAST_BYTES + int(_MOST * begun)


async def put_feed(slot: Slot, mark: FeedMark, position: int, segments: Sequence[bytes]) -> int:
    """Write segments at the end of a feed; return its size behind them.

    Args:
        slot: The slot of the shard.
        mark: The feed; empty for a new one.
        position: Of the norms, in the log of the slot.
        segments: At least one for a new feed.

    Raises:
        PositionMovedError: as for `Slot.write`.
    """
    at = mark.bytes
    for segment in segments:
        await slot.write("put-feed", [feed_key(slot.keys, mark)], position, [at, segment])
        at += len(segment)
    return at


async def read_feed(redis: Redis, keys: SlotKeys, mark: FeedMark, start: int) -> bytes:
    """Return the part of a feed from `start` to its end.

    The result is shorter where the owner has begun another feed meanwhile.
    """
    feed, key = b"", feed_key(keys, mark)
    while start + len(feed) < mark.bytes:
        at = start + len(feed)
        with explained_errors(f"to read {key}"):
            end = min(at + _READ_BYTES, mark.bytes) - 1
            part: Any = await redis.getrange(key, at, end)
        if not part:
            break
        feed += part
    return feed


async def remove_feed(redis: Redis, keys: SlotKeys, mark: FeedMark) -> None:
    """Remove a feed that is no longer the current one."""
    if mark.name:
        await redis.unlink(feed_key(keys, mark))
