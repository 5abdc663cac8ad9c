"""Store. A snapshot: the counts of all shards, read back from Redis piece by piece.

It is meant for a drained app. A state that moves while it is read, or whose rows are ahead of their
fence, is refused: its pieces would not belong together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from redis.asyncio import Redis

from streamapp.core.arrays import Bools, Floats, Ints, Longs, grown
from streamapp.core.interactions import partition_of
from streamapp.core.norms import NORM
from streamapp.core.rows import CELL
from streamapp.errors import StateError
from streamapp.settings import Settings
from streamapp.store.keys import SlotKeys, histories_tag, rows_tag
from streamapp.store.layout import layout_key
from streamapp.store.slot import Head, Slot

Advance = Callable[[int, int], None]
"""Told how much is done, and of how much."""

_ROWS_AT_ONCE = 500
_BYTES_AT_ONCE = 1_000_000
_LISTS_AT_ONCE = 200
_AS_OF_BYTES = 8


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of items; every pair has two cells, one in each row.

    Attributes:
        items: Ids of the items with at least one user or cell, in byte order; an item's place here
            is its number.
        sum_sq: float64, shape (items,).
        users: int64, shape (items,). Users whose history holds the item.
        indptr: int64, shape (items + 1,). The cells of item i lie at indptr[i]:indptr[i + 1].
        indices: int32, shape (cells,). Numbers of the other items, rising within a row.
        dot: float64, shape (cells,).
        support: int32, shape (cells,). Users behind the pair.
    """

    items: list[str]
    sum_sq: Floats
    users: Longs
    indptr: Longs
    indices: Ints
    dot: Floats
    support: Ints

    @property
    def rows(self) -> Ints:
        """The number of the item whose row each cell is in, int32, shape (cells,)."""
        return np.repeat(np.arange(len(self.items), dtype=np.int32), np.diff(self.indptr))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Redis holds.

    Attributes:
        counts: The counts; each row and norm as its owner has it.
        disputed: Items whose norm is not the same in all shards.
        histories: Number of histories.
        applied: Interactions that were applied.
        positions: Position of every shard.
    """

    counts: Counts
    disputed: list[str]
    histories: int
    applied: int
    positions: list[int]


async def read_layout(redis: Redis, settings: Settings) -> dict[str, int]:
    """Return the number of partitions by topic that the state was begun with.

    Raises:
        StateError: there is no state.
    """
    stored: Any = await redis.hgetall(layout_key(settings))
    topics = settings.state_topics
    layout = {topic: int(stored[topic.encode()]) for topic in topics if topic.encode() in stored}
    if missing := [topic for topic in topics if topic not in layout]:
        raise StateError(
            f"redis holds no state of {missing[0]} under {settings.state_prefix}: "
            "start a worker first, or check REDIS_URL, EVENT_TOPICS and STATE_PREFIX"
        )
    return layout


def slots_of(
    redis: Redis, settings: Settings, layout: dict[str, int]
) -> tuple[list[Slot], list[Slot]]:
    """Return the slots of histories and those of rows."""
    tags = (
        map(histories_tag, range(layout[settings.interactions_topic])),
        map(rows_tag, range(layout[settings.deltas_topic])),
    )
    histories, rows = (
        [Slot(redis, SlotKeys(settings.state_prefix, tag)) for tag in some] for some in tags
    )
    return histories, rows


async def read_snapshot(redis: Redis, settings: Settings, advance: Advance) -> Snapshot:
    """Return the counts of all shards; no call to Redis asks for more than about a megabyte.

    Args:
        redis: A client that answers in bytes.
        settings: Where the state is.
        advance: Told how many rows were read, and of how many.

    Raises:
        StateError: there is no state, it moves, or what is stored is not rows.

    Cost: 24 bytes of memory a cell, three times that at the end.
    """
    layout = await read_layout(redis, settings)
    slots = slots_of(redis, settings, layout)
    users, shards = [[await slot.head() or Head(0) for slot in some] for some in slots]
    total, collection = sum(head.number("blobs") for head in shards), _Collection(len(shards))
    for shard, (slot, head) in enumerate(zip(slots[1], shards, strict=True)):
        owned = await _read_ids(slot, shard, collection)
        for some in _portions(owned, head):
            blobs = await slot.read(some.tolist())
            collection.add(slot, some, blobs, head.position)
            advance(collection.rows, total)
    await check_still(redis, settings, [head.position for head in shards])
    counts, disputed = collection.finish()
    return Snapshot(
        counts,
        disputed,
        histories=sum(head.number("blobs") for head in users),
        applied=sum(head.number("applied") for head in users),
        positions=[head.position for head in shards],
    )


async def check_still(redis: Redis, settings: Settings, positions: Sequence[int]) -> None:
    """Refuse a state whose shards are no longer at `positions`.

    Raises:
        StateError: a shard moved.
    """
    _, slots = slots_of(redis, settings, await read_layout(redis, settings))
    heads = [await slot.head() or Head(0) for slot in slots]
    if [head.position for head in heads] != list(positions):
        raise StateError(
            "the state moved while it was read: events are still coming in; "
            "stop whoever produces them and try again"
        )


async def read_lists(redis: Redis, keys: Sequence[str], advance: Advance) -> list[bytes | None]:
    """Return what lies under `keys`, each read by a call of its own, many calls on the way."""
    found: list[bytes | None] = []
    for start in range(0, len(keys), _LISTS_AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys[start : start + _LISTS_AT_ONCE]:
                pipe.get(key)
            found += await pipe.execute()
        advance(len(found), len(keys))
    return found


async def holds_histories(
    redis: Redis, settings: Settings, layout: dict[str, int], users: Sequence[str]
) -> list[bool]:
    """Say of each user whether there is a history."""
    partitions, held = layout[settings.interactions_topic], []
    for start in range(0, len(users), _LISTS_AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:
            for user in users[start : start + _LISTS_AT_ONCE]:
                tag = histories_tag(partition_of(user, partitions))
                pipe.strlen(SlotKeys(settings.state_prefix, tag).blob(user))
            held += [size > 8 for size in await pipe.execute()]
    return held


def _portions(numbers: Ints, head: Head) -> Iterator[Ints]:
    """Split the rows of a slot so that each portion is about `_BYTES_AT_ONCE`."""
    mean_bytes = head.number("blob_bytes") / max(1, head.number("blobs"))
    size = max(1, min(_ROWS_AT_ONCE, int(_BYTES_AT_ONCE / max(1.0, mean_bytes))))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


async def _read_ids(slot: Slot, shard: int, collection: "_Collection") -> Ints:
    """Read a shard's registry and norms into the collection; return the rows that it owns."""
    registry = await slot.registry()
    norms = np.zeros(len(registry), NORM)
    stored = np.frombuffer(await slot.packed(slot.keys.norms), NORM)[: len(registry)]
    norms[: len(stored)] = stored
    numbers: Ints = np.arange(len(registry), dtype=np.int32)
    owned: Ints = numbers[registry.shards(collection.shards, numbers) == shard]
    collection.enter(registry.ids, norms, owned)
    return owned


class _Collection:
    """Puts together what the shards hold, under one numbering of the items.

    Every shard knows every item under a number of its own. `enter` learns those of one shard, then
    `add` takes its rows.
    """

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.rows = 0
        self._numbers: dict[str, int] = {}
        self._places: Ints = np.zeros(0, np.int32)
        self._norms = np.zeros(0, NORM)
        self._first = np.zeros(0, NORM)
        self._seen: Ints = np.zeros(0, np.int32)
        self._disputed: Bools = np.zeros(0, np.bool_)
        self._row: list[Ints] = []
        self._cell: list[Any] = []

    def enter(self, ids: Sequence[str], norms: Any, owned: Ints) -> None:
        """Learn the items of the next shard, the norm of each, and which of them it owns."""
        numbers = self._numbers
        places = np.array([numbers.setdefault(item, len(numbers)) for item in ids], np.int32)
        for name in ("_norms", "_first", "_seen", "_disputed"):
            setattr(self, name, grown(getattr(self, name), len(numbers)))
        new = self._seen[places] == 0
        self._first[places[new]] = norms[new]
        first = self._first[places]
        same = np.isclose(first["sum_sq"], norms["sum_sq"], rtol=1e-9, atol=1e-12)
        self._disputed[places] |= ~same | (first["users"] != norms["users"])
        self._seen[places] += 1
        self._norms[places[owned]] = norms[owned]
        self._places = places

    def add(
        self, slot: Slot, rows: Ints, blobs: Sequence[tuple[int, bytes] | None], position: int
    ) -> None:
        """Take rows of the shard that entered last.

        Raises:
            StateError: a blob is ahead of the shard's position, or is no row.
        """
        packed, sizes = [], np.zeros(len(rows), np.int64)
        for place, blob in enumerate(blobs):
            if blob is None:
                continue
            at, content = blob
            where = slot.keys.blob(int(rows[place]))
            if at > position:
                raise StateError(
                    f"{where} is at offset {at}, ahead of its shard at {position}: "
                    "the state is not at rest; is a worker running?"
                )
            if len(content) % CELL.itemsize != _AS_OF_BYTES:
                raise StateError(f"{where} is no row: it has {len(content) + 8} bytes")
            packed.append(content[_AS_OF_BYTES:])
            sizes[place] = len(packed[-1]) // CELL.itemsize
        self.rows += len(packed)
        cells = np.frombuffer(b"".join(packed), CELL).copy()
        if len(cells) and not 0 <= cells["item"].min() <= cells["item"].max() < len(self._places):
            raise StateError(f"{slot.keys.items} lacks an item that a row of its shard holds")
        cells["item"] = self._places[cells["item"]]
        self._row.append(self._places[np.repeat(rows, sizes)])
        self._cell.append(cells)

    def finish(self) -> tuple[Counts, list[str]]:
        """Return the counts, and the items whose norm is not the same in all shards."""
        ids = list(self._numbers)
        row = np.concatenate([np.zeros(0, np.int32), *self._row])
        cells = np.concatenate([np.zeros(0, CELL), *self._cell])
        norms, seen = self._norms[: len(ids)], self._seen[: len(ids)]
        alive = norms["users"] > 0
        alive[row], alive[cells["item"]] = True, True
        disputed = self._disputed[: len(ids)] | (alive & (seen < self.shards))
        order = sorted(np.flatnonzero(alive).tolist(), key=ids.__getitem__)
        rank = np.zeros(len(ids), np.int32)
        rank[order] = np.arange(len(order))
        row, other = rank[row], rank[cells["item"]]
        at = np.argsort(row.astype(np.int64) * len(order) + other)
        counts = Counts(
            items=[ids[number] for number in order],
            sum_sq=norms["sum_sq"][order],
            users=norms["users"][order],
            indptr=np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(order))))),
            indices=other[at],
            dot=cells["dot"][at],
            support=cells["support"][at],
        )
        return counts, [ids[number] for number in np.flatnonzero(disputed).tolist()]
