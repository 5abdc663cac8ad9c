"""The lists that frontends read: each is replaced in one step, and never by an older list."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

import numpy as np
from redis.asyncio import Redis

from streamapp.core.lists.list_format import without_details
from streamapp.core.lists.list_seq import seq_of
from streamapp.store.redis.scripts import Value, run
from streamapp.store.slot.keys import (
    TOMBSTONE_LIFETIME_S,
    details_key,
    details_prefix,
    list_name,
    pattern_of,
    tombstone_key,
)

_AT_ONCE = 250
_SCANNED = 1_000
_CALLS = 32
"""Most calls in flight on a cluster."""

T = TypeVar("T")


class Lists:
    """The lists under one prefix."""

    def __init__(
        self,
        redis: Redis,
        list_prefix: str,
        state_prefix: str,
        at_once: int,
        calls: int,
        ids_only: bool,
    ) -> None:
        """Make it.

        Args:
            redis: A client that answers in bytes.
            list_prefix: Prefix of the lists.
            state_prefix: Prefix of the tombstones of lists, and of lists with details.
            at_once: Most lists in one call.
            calls: Most calls in flight.
            ids_only: Whether readers see lists without details. Lists with details are then kept in
                the state. The app takes and returns these, and replaces both in one step.
        """
        self._ids_only = ids_only
        self._redis = redis
        self._list_prefix = list_prefix
        self._state_prefix = state_prefix
        self._at_once = at_once
        self._calls = asyncio.Semaphore(calls)

    def key(self, kind: str, name: str) -> str:
        """Return the key of the list of `kind` for `name`, as readers see it."""
        return self._list_prefix + list_name(kind, name)

    def served(self, content: bytes) -> bytes:
        """Return a list as readers see it; b"" stays b""."""
        return without_details(content) if self._ids_only else content

    async def replace(
        self,
        kind: str,
        lists: Sequence[tuple[str, bytes]],
        seq: int,
        expire_at: Sequence[int] = (),
    ) -> list[bytes | None]:
        """Replace lists by those of `seq`; b"" deletes a list and leaves a tombstone with `seq`.

        A stored list or tombstone of a higher `seq` stays. A stored list of the same `seq` stays
        too, and its bytes are returned. A stored list of a lower `seq` is replaced.

        Args:
            kind: Of all of them.
            lists: Name and content.
            seq: Of all of them.
            expire_at: Unix time in seconds at which each expires; empty if they do not.

        Returns:
            For each list the bytes that are stored for `seq`, or None if a later list is stored.
        """
        parts = await asyncio.gather(
            *(
                self._replace(kind, some, seq, times)
                for some, times in zip_longest(
                    self._portions(lists), self._portions(expire_at), fillvalue=()
                )
            )
        )
        return list(chain.from_iterable(parts))

    async def extend(self, kind: str, expire_at: Mapping[str, int]) -> list[str]:
        """Let lists live until a Unix time in seconds, by name; no life gets shorter.

        Returns:
            The names of lists that do not exist.
        """
        times = list(expire_at.items())
        parts = await asyncio.gather(*(self._extend(kind, some) for some in self._portions(times)))
        return list(chain.from_iterable(parts))

    async def get_many(self, kind: str, names: Sequence[str]) -> list[bytes]:
        """Return the stored lists; b"" if there is none."""
        parts = await asyncio.gather(
            *(self._get_many(kind, some) for some in self._portions(names))
        )
        return list(chain.from_iterable(parts))

    async def get_versions(self, kind: str, names: Sequence[str]) -> list[tuple[bytes, int]]:
        """Return each stored list, or b"", and its `seq`, or that of its tombstone; 0 without."""
        parts = await asyncio.gather(
            *(self._get_versions(kind, some) for some in self._portions(names))
        )
        return list(chain.from_iterable(parts))

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return the list of `kind` for `name`, or None."""
        key = self._key(kind, name)
        found: bytes | None = await self._redis.get(key)  # type: ignore[assignment]
        return found

    def _key(self, kind: str, name: str) -> str:
        """Return the key of a list with its details."""
        key = self.key(kind, name)
        return details_key(self._state_prefix, key) if self._ids_only else key

    def _portions(self, some: Sequence[T]) -> Iterator[Sequence[T]]:
        for start in range(0, len(some), self._at_once):
            yield some[start : start + self._at_once]

    async def _replace(
        self, kind: str, lists: Sequence[tuple[str, bytes]], seq: int, expire_at: Sequence[int]
    ) -> list[bytes | None]:
        keys = self._with_tombstones(kind, [name for name, _ in lists], served=self._ids_only)
        contents = [content for _, content in lists]
        arguments: list[Value] = [
            seq,
            TOMBSTONE_LIFETIME_S,
            _packed(expire_at),
            *_joined(contents),
        ]
        if self._ids_only:
            arguments += _joined([without_details(content) for content in contents])
        async with self._calls:
            replies = await run(self._redis, "replace-lists", keys, arguments)
        return [
            reply if isinstance(reply, bytes) else content if reply else None
            for content, reply in zip(contents, replies, strict=True)
        ]

    async def _extend(self, kind: str, expire_at: Sequence[tuple[str, int]]) -> list[str]:
        names = [name for name, _ in expire_at]
        keys = [self._key(kind, name) for name in names]
        times = [at for _, at in expire_at]
        if self._ids_only:
            keys, times = [*keys, *(self.key(kind, name) for name in names)], 2 * times
        async with self._calls:
            found = await run(self._redis, "extend-list-expiry", keys, [_packed(times)])
        parts = (found[start : start + len(names)] for start in range(0, len(keys), len(names)))
        return [name for name, *there in zip(names, *parts, strict=True) if not all(there)]

    async def _get_many(self, kind: str, names: Sequence[str]) -> list[bytes]:
        keys = [self._key(kind, name) for name in names]
        async with self._calls:
            values: list[bytes | None] = await self._redis.mget(keys)  # type: ignore[assignment]
        return [value or b"" for value in values]

    async def _get_versions(self, kind: str, names: Sequence[str]) -> list[tuple[bytes, int]]:
        keys = self._with_tombstones(kind, names)
        async with self._calls:
            values: list[bytes | None] = await self._redis.mget(keys)  # type: ignore[assignment]
        return [
            (content or b"", seq_of(content) if content else int(tombstone or 0))
            for content, tombstone in zip(values[::2], values[1::2], strict=True)
        ]

    def _with_tombstones(
        self, kind: str, names: Iterable[str], *, served: bool = False
    ) -> list[str]:
        """Return the keys of each list and of its tombstone, one after the other.

        Args:
            kind: Of all lists.
            names: Their names.
            served: Whether the key of each list as readers see it follows too.
        """
        keys: list[str] = []
        for name in names:
            key = self.key(kind, name)
            keys += [self._key(kind, name), tombstone_key(self._state_prefix, key)]
            keys += [key] if served else []
        return keys


def _packed(times: Sequence[int]) -> bytes:
    return np.array(times, "<u8").tobytes()


def _joined(contents: Sequence[bytes]) -> list[Value]:
    """Return the sizes of lists and the lists, as the script takes them."""
    sizes = np.array([len(content) for content in contents], "<u4").tobytes()
    return [sizes, b"".join(contents)]


async def keep_details(redis: Redis, state_prefix: str, *, kept: bool) -> None:
    """Mark that lists with details are kept; or if none are, remove those of before.

    Cost: one scan over all keys of the server, once after a change of the setting.
    """
    mark = details_prefix(state_prefix)
    if kept:
        await redis.set(mark, 1)
    elif await redis.exists(mark):
        async for key in redis.scan_iter(pattern_of(f"{mark}:"), count=_SCANNED):
            await redis.unlink(key)
        await redis.delete(mark)


def lists_of(
    redis: Redis, list_prefix: str, state_prefix: str, cluster: bool, *, ids_only: bool = False
) -> Lists:
    """Return access to the lists; on a cluster each list takes a call of its own."""
    at_once, calls = (1, _CALLS) if cluster else (_AT_ONCE, 1)
    return Lists(redis, list_prefix, state_prefix, at_once, calls, ids_only)
