"""Interactions on their way from the event topics to the partition of their user.

One message is one cut through the event topics: what a worker read of them in one go and what of it
belongs to one partition. Its boundaries are fixed once it is in the log, which is what makes every
later step repeatable (ADR-0002).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from streamapp.core.arrays.dtypes import Floats, Ints, Longs
from streamapp.core.histories.history import Interactions
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets

_DTYPES = ("<i4", "<i8", "<i4", "<i4", "<i4", "<f8")

SKIPPED = "skipped:"
"""What the names of fields begin with that count events of unknown types."""

_SKIPPED_TYPES = 100
_SKIPPED_CHARACTERS = 100


class Source(msgspec.Struct, array_like=True, frozen=True):
    """A partition of an event topic, and where the cut through it ends."""

    topic: str
    partition: int
    end: int

    @property
    def name(self) -> str:
        """The source as fences call it."""
        return f"{self.topic}/{self.partition}"


class InteractionBatch(msgspec.Struct, array_like=True, frozen=True):
    """Interactions on the wire.

    Attributes:
        generation: Of the state that they are for; a rebuilt state ignores older cuts.
        sources: Where they came from.
        users: User ids; columns name users by their position here.
        items: Item ids, likewise.
        types: Event types, likewise.
        columns: Little-endian arrays of one length: source, offset, user, item, type, ts.
        dead: (source, offset) of every dead letter.
        skipped: (source, offset, type) of every event of an unknown type.
        idle: (user, newest time) of histories to forget, if that is still their newest time. A cut
            with any of them holds no interactions.
    """

    generation: str
    sources: list[Source]
    users: list[str]
    items: list[str]
    types: list[str]
    columns: list[bytes]
    dead: list[tuple[int, int]]
    skipped: list[tuple[int, int, str]]
    idle: list[tuple[str, float]] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InteractionBatch).decode


def decode_interactions(value: bytes) -> InteractionBatch:
    """Return the cut that `value` holds; raises `msgspec.DecodeError` if it holds none."""
    return _decode(value)


def encode_idle(generation: str, idle: list[tuple[str, float]]) -> bytes:
    """Return a cut that forgets users: (user, newest time of the history)."""
    columns = [np.zeros(0, dtype).tobytes() for dtype in _DTYPES]
    return _encode(InteractionBatch(generation, [], [], [], [], columns, [], [], idle))


def partition_of(user: str, partitions: int) -> int:
    """Return the partition that owns the history of `user`."""
    return crc32(user.encode()) % partitions


def skipped_field(kind: str, fields: Collection[str]) -> str:
    """Return the field that counts events of an unknown type, given the fields that there are.

    Trackers write there what they like and fields stay for ever, so the first types have fields of
    their own, and all others share one.
    """
    field = SKIPPED + kind
    if field in fields:
        return field
    known = sum(name.startswith(SKIPPED) for name in fields)
    if known < _SKIPPED_TYPES and len(kind) <= _SKIPPED_CHARACTERS:
        return field
    return f"{SKIPPED}(other)"


class InteractionBatchBuilder:
    """Collects what was read of the event topics, and splits it by the partition of the user."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._users: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._columns: tuple[list[Any], ...] = tuple([] for _ in _DTYPES)
        self._dead: list[tuple[int, int]] = []
        self._skipped: list[tuple[int, int, str, int]] = []

    def begin(self, source: Source) -> None:
        """Say where what comes next is from, and where the cut through it ends."""
        self._sources.append(source)

    def add(self, offset: int, user: str, item: str, kind: str, ts: float) -> None:
        """Take an interaction."""
        users, items, types = self._users, self._items, self._types
        sources, offsets, user_column, item_column, type_column, ts_column = self._columns
        sources.append(len(self._sources) - 1)
        offsets.append(offset)
        user_column.append(users.setdefault(user, len(users)))
        item_column.append(items.setdefault(item, len(items)))
        type_column.append(types.setdefault(kind, len(types)))
        ts_column.append(ts)

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Count an event of a type that nobody knows."""
        number = self._users.setdefault(user, len(self._users))
        self._skipped.append((len(self._sources) - 1, offset, kind, number))

    def bury(self, offset: int) -> None:
        """Count a dead letter."""
        self._dead.append((len(self._sources) - 1, offset))

    def encode(self, generation: str, partitions: int) -> dict[int, bytes]:
        """Return the message of each partition that gets anything.

        A dead letter is counted in the partition with the number of its source.
        """
        homes = np.array([partition_of(user, partitions) for user in self._users], np.int32)
        columns = [
            np.array(column, dtype) for column, dtype in zip(self._columns, _DTYPES, strict=True)
        ]
        home = homes[columns[2]]
        dead: dict[int, list[tuple[int, int]]] = {}
        for place, offset in self._dead:
            target = self._sources[place].partition % partitions
            dead.setdefault(target, []).append((place, offset))
        skipped: dict[int, list[tuple[int, int, str]]] = {}
        for place, offset, kind, user in self._skipped:
            skipped.setdefault(int(homes[user]), []).append((place, offset, kind))
        names = list(self._users), list(self._items), list(self._types)
        return {
            partition: _encode(
                InteractionBatch(
                    generation,
                    self._sources,
                    *_compacted(names, [column[home == partition] for column in columns]),
                    dead.get(partition, []),
                    skipped.get(partition, []),
                )
            )
            for partition in sorted({*np.unique(home).tolist(), *dead, *skipped})
        }


def _compacted(
    names: Sequence[list[str]], columns: list[Any]
) -> tuple[list[str], list[str], list[str], list[bytes]]:
    """Return the users, items and types that columns use, and the columns renumbered to them."""
    used: list[list[str]] = []
    for place, every in zip((2, 3, 4), names, strict=True):
        numbers, columns[place] = np.unique(columns[place], return_inverse=True)
        used.append([every[number] for number in numbers.tolist()])
    packed = [
        column.astype(dtype, copy=False).tobytes()
        for column, dtype in zip(columns, _DTYPES, strict=True)
    ]
    return used[0], used[1], used[2], packed


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a cut brings that was not applied before.

    Attributes:
        users: User ids, distinct.
        interactions: Grouped by user, in the order of `users`.
        applied: How many interactions that is.
        replayed: How many interactions lay below the fence.
        dead: How many dead letters.
        skipped: Events of unknown type, by type.
        newest_ts: Newest time of an interaction in seconds; -inf without any.
        idle: Newest time by user whose history is to be forgotten if it is that old.
    """

    users: list[str]
    interactions: Interactions
    applied: int
    replayed: int
    dead: int
    skipped: dict[str, int]
    newest_ts: float
    idle: dict[str, float]


def admit(
    cut: InteractionBatch, fences: AppliedOffsets, registry: Registry, weights: dict[str, float]
) -> Admitted:
    """Return what of `cut` lies beyond the fences, and raise them to its end.

    Raises:
        KeyError: the cut holds a type that has no weight.
    """
    source, offset, user, item, kind, ts = _columns(cut)
    below = [fences[one.name] for one in cut.sources]
    fresh = offset >= np.array(below, np.int64)[source]
    order = np.flatnonzero(fresh)[np.argsort(user[fresh], kind="stable")]
    numbers = registry.number(cut.items)
    weight = np.array([weights[name] for name in cut.types], np.float64)
    present, counts = np.unique(user[order], return_counts=True)
    skipped: dict[str, int] = {}
    for place, at, name in cut.skipped:
        if at >= below[place]:
            skipped[name] = skipped.get(name, 0) + 1
    for one in cut.sources:
        fences.advance(one.name, one.end)
    return Admitted(
        users=[cut.users[place] for place in present.tolist()],
        interactions=Interactions(
            starts=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))),
            item=numbers[item[order]],
            weight=weight[kind[order]],
            ts=ts[order],
        ),
        applied=len(order),
        replayed=len(offset) - len(order),
        dead=sum(at >= below[place] for place, at in cut.dead),
        skipped=skipped,
        newest_ts=float(ts[order].max(initial=-np.inf)),
        idle=dict(cut.idle),
    )


def _columns(cut: InteractionBatch) -> tuple[Ints, Longs, Ints, Ints, Ints, Floats]:
    arrays = [
        np.frombuffer(column, dtype) for column, dtype in zip(cut.columns, _DTYPES, strict=True)
    ]
    return arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
