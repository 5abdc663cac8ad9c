"""The state of one partition of one log, and the protocol by which it moves (ADR-0002).

A slot holds a position, the fences of the sources behind it, and blobs: histories, or rows and
norms. A blob says up to which position of the log it is complete. Blobs are written first, in as
many calls as it takes, each over an older one only; then one script moves the position, if it is
still where this process left it. A process that dies in between leaves blobs that are ahead of the
position: reading the log again skips for each blob what it already holds.

Because the content of a blob at a position is a function of the log alone, two processes that
believe to own the slot write the same things, and the slower one only finds that the fence moved.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from streamapp.core.ids.registry import Registry
from streamapp.errors import ClaimLostError, PositionMovedError
from streamapp.store.redis.scripts import Value, readable, run
from streamapp.store.slot.head import Head, stored_names
from streamapp.store.slot.keys import GONE_LIFETIME_S, SlotKeys, pattern_of

_POSITION = struct.Struct(">Q")
_PUT_BYTES = 500_000
_PUT_KEYS = 250
_PUT_ITEMS = 1_000
_READ_KEYS = 500
_OWNER = "owner"

H = TypeVar("H", bound=Head)


class Slot:
    """One slot; `redis` answers in bytes.

    Attributes:
        keys: Its keys.
        generation: Of the state that this process works on; writes to another are refused.
    """

    def __init__(self, redis: Redis, keys: SlotKeys, generation: str = "") -> None:
        self._redis = redis
        self.keys = keys
        self.generation = generation
        self._written = b""

    async def create(self, position: int, results: str = "") -> None:
        """Make the slot at `position` if it does not exist.

        Args:
            position: First offset of the slot's log that is to be applied.
            results: The settings that change counts.
        """
        # A head without a position does not exist, so the position comes last.
        first: dict[str, Value] = {
            "results": results,
            "generation": self.generation,
            "position": position,
        }
        for name, value in first.items():
            await self._redis.hsetnx(self.keys.head, name, value)

    async def head(self, kind: type[H]) -> H | None:
        """Return the head of a slot of this kind, or None if the slot does not exist."""
        with readable(f"to read {self.keys.head}"):
            stored: Any = await self._redis.hgetall(self.keys.head)
        head = kind.decode({name.decode(): value for name, value in stored.items()})
        if head is not None:
            self._written = head.write_token
        return head

    async def note_rollback(self, offsets: int) -> None:
        """Count that Redis went back so many offsets, for people; a lost reply counts twice."""
        await self._redis.hincrby(self.keys.head, "rolled_back", 1)
        await self._redis.hincrby(self.keys.head, "rolled_back_offsets", offsets)

    async def check(self, expected: int) -> None:
        """Look whether the position is where this process left it.

        Raises:
            PositionMovedError: it is not.
        """
        await self.read_at(expected, [])

    async def claim(self, owner: str) -> None:
        """Note who works on the slot from now on; whoever did so before finds another name."""
        await self._redis.hset(self.keys.head, _OWNER, owner)

    async def claimed_by(self, owner: str) -> bool:
        """Say whether nobody claimed the slot after `owner` did."""
        found: Any = await self._redis.hget(self.keys.head, _OWNER)
        return found is not None and bool(found.decode() == owner)

    async def tick(self, owner: str) -> int:
        """Return the next time of the slot's clock: about milliseconds, and always rising.

        It is a hybrid logical clock (Kulkarni et al. 2014), so it rises also where the state goes
        back in time or is begun anew. What its owner reads afterwards is at least as new.

        Raises:
            ClaimLostError: somebody else has claimed the slot.
        """
        tick = int(await run(self._redis, "tick", [self.keys.head], [owner]))
        if tick < 0:
            raise ClaimLostError
        return tick

    async def set_field(
        self, owner: str, kind: type[Head], attribute: str, value: str | int
    ) -> None:
        """Set a field of the head.

        Args:
            owner: The worker that claimed the slot.
            kind: The kind of head.
            attribute: Of the head; it is kept in one field.
            value: As it is stored.

        Raises:
            ClaimLostError: somebody else has claimed the slot.
        """
        (name,) = stored_names(kind, (attribute,))
        if await run(self._redis, "note", [self.keys.head], [owner, name, value]) < 0:
            raise ClaimLostError

    async def registry(self, empty: Registry | None = None) -> Registry:
        """Return the items that the slot has seen, in a registry that is `empty` as yet."""
        registry, step = Registry() if empty is None else empty, 5_000
        while True:
            start = len(registry)
            with readable(f"to read {self.keys.items}"):
                ids: Any = await self._redis.lrange(self.keys.items, start, start + step - 1)
            if not ids:
                return registry
            registry.number([item.decode() for item in ids])

    async def packed(self, key: str) -> bytes:
        """Return the packed records, one for each item number, that one of `keys` holds."""
        packed, step = b"", 1_000_000
        while True:
            start = len(packed)
            with readable(f"to read {key}"):
                part: Any = await self._redis.getrange(key, start, start + step - 1)
            if not part:
                return packed
            packed += part

    async def scan(self, cursor: int) -> tuple[int, list[str]]:
        """Return the next cursor, 0 at the end, and names of some blobs from `cursor` on."""
        prefix = self.keys.blob("")
        options: dict[str, Any] = {"match": pattern_of(prefix), "count": _READ_KEYS}
        if isinstance(self._redis, RedisCluster):
            options["target_nodes"] = partial(self._redis.get_node_from_key, self.keys.head)
        at, keys = cast("tuple[Any, list[bytes]]", await self._redis.scan(cursor, **options))
        if isinstance(at, dict):
            (at,) = at.values()
        return int(at), [key.decode().removeprefix(prefix) for key in keys]

    async def read(self, names: Sequence[str | int]) -> list[tuple[int, bytes] | None]:
        """Return (position, content) of each blob, or None where there is none."""
        blobs: list[Any] = []
        for keys in self._blob_keys(names):
            blobs += await self._redis.mget(keys)
        return _unpacked(blobs)

    async def read_at(
        self, position: int, names: Sequence[str | int]
    ) -> list[tuple[int, bytes] | None]:
        """Return what `read` does, of a slot that is at `position` at that moment.

        Raises:
            PositionMovedError: it is not. Where Redis went back in time, blobs may lack bytes,
                and whoever goes on from them writes or sends what is wrong.
        """
        blobs: list[Any] = []
        for keys in self._blob_keys(names) or [[]]:
            found, some = await run(self._redis, "read-at", [self.keys.head, *keys], [])
            if (at := int(found or -1)) != position:
                raise PositionMovedError(position, at)
            blobs += some
        return _unpacked(blobs)

    def _blob_keys(self, names: Sequence[str | int]) -> list[list[str]]:
        keys, step = [self.keys.blob(name) for name in names], _READ_KEYS
        return [keys[start : start + step] for start in range(0, len(keys), step)]

    async def put(self, position: int, blobs: Iterable[tuple[str | int, bytes]]) -> int:
        """Write blobs that are complete up to `position`; return how many newer ones were there.

        An empty blob is gone; its position stays for a day, so that no older one takes its place.

        Raises:
            PositionMovedError: the slot is gone or of another generation, or the last blob is
                not what this process put or found; nothing more is written.
        """
        prefix, stale = _POSITION.pack(position), 0
        keys, values, size = list[str](), list[Value]([GONE_LIFETIME_S]), 0
        for name, content in blobs:
            keys.append(self.keys.blob(name))
            values.append(prefix + content)
            size += len(content)
            if size >= _PUT_BYTES or len(keys) >= _PUT_KEYS:
                stale += await self.put_by("put-blobs", keys, position, values)
                keys, values, size = [], [GONE_LIFETIME_S], 0
        if keys:
            stale += await self.put_by("put-blobs", keys, position, values)
        return stale

    async def put_packed(
        self, key: str, position: int, records: Sequence[tuple[int, bytes]]
    ) -> None:
        """Write records, (item number, record), that are complete up to `position`.

        Raises:
            PositionMovedError: as for `put`.
        """
        for start in range(0, len(records), _PUT_KEYS):
            values: list[Value] = []
            for number, record in records[start : start + _PUT_KEYS]:
                values += [number * len(record), record]
            await self.put_by("put-packed", [key], position, values)

    async def put_items(self, position: int, known: int, ids: Sequence[str]) -> None:
        """Write the ids of items that the slot gets on its way to `position`.

        Args:
            position: Of the slot's log; the items are those of the records below it.
            known: Items that the slot's registry holds before.
            ids: Items that it gets, in order of first appearance.

        Raises:
            PositionMovedError: as for `put`.
            StateError: other items are there.
        """
        for start in range(0, len(ids), _PUT_ITEMS):
            some = ids[start : start + _PUT_ITEMS]
            await self.put_by("put-items", [self.keys.items], position, [known + start, *some])

    async def put_by(
        self, script: str, keys: Sequence[str], position: int, values: Sequence[Value]
    ) -> int:
        """Run a script that writes what is complete up to `position`; return what it left.

        Raises:
            PositionMovedError: as for `put`.
        """
        arguments: list[Value] = [self.generation, position, *self._marks(), *values]
        stale = int(await run(self._redis, script, [self.keys.head, *keys], arguments))
        if stale < 0:
            raise PositionMovedError(position, stale)
        return stale

    async def commit(self, expected: int, head: Head, items: int = 0) -> None:
        """Move the position from `expected` to that of `head`, with its fences and fields.

        Args:
            expected: The position this process left or found.
            head: The new position, all fences, and the fields that change.
            items: Items that were put, of the records below the new position.

        Raises:
            PositionMovedError: the position is neither `expected` nor the new one, or the last that
                was put is not what this process put or found; nothing is written.
        """
        fields: list[Value] = []
        for name, value in head.encode().items():
            fields += [name, value]
        arguments: list[Value] = [self.generation, expected, head.position, self._written]
        arguments += [len(fields) // 2, *fields, items]
        keys = [self.keys.head, self.keys.items]
        found = int(await run(self._redis, "commit", keys, arguments))
        if found not in {expected, head.position}:
            raise PositionMovedError(expected, found)

    def _marks(self) -> tuple[bytes, bytes]:
        """Return the mark of what was put last, and a new one for what is put next.

        The head keeps the last mark, and every write asks for the one before. So nothing goes on
        from a write that is lost: a replica that takes its primary's place may be at the right
        position, and yet lack what was put for the next one.
        """
        last, self._written = self._written, token_hex(8).encode()
        return last, self._written


def _unpacked(blobs: Iterable[bytes | None]) -> list[tuple[int, bytes] | None]:
    return [(_POSITION.unpack_from(blob)[0], blob[8:]) if blob else None for blob in blobs]
