"""Core. Interactions on their way from the event topics to the partition of their user.

One message is one cut through the event topics: what a worker read of them in one go and what of it
belongs to one partition. Its boundaries are fixed once it is in the log, which is what makes every
later step repeatable (ADR-0002).
"""

from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np

from streamapp.core.arrays import Floats, Ints, Longs
from streamapp.core.event import Event
from streamapp.core.fence import Fences
from streamapp.core.history import Interactions
from streamapp.core.registry import Registry

_DTYPES = ("<i4", "<i8", "<i4", "<i4", "<i4", "<f8")


class Source(msgspec.Struct, array_like=True, frozen=True):
    """A partition of an event topic, and where the cut through it ends."""

    topic: str
    partition: int
    end: int

    @property
    def name(self) -> str:
        """The source as fences call it."""
        return f"{self.topic}/{self.partition}"


class Cut(msgspec.Struct, array_like=True, frozen=True):
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
    """

    generation: str
    sources: list[Source]
    users: list[str]
    items: list[str]
    types: list[str]
    columns: list[bytes]
    dead: list[tuple[int, int]]
    skipped: list[tuple[int, int, str]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cut).decode


def decode_cut(value: bytes) -> Cut:
    """Return the cut that `value` holds; raises `msgspec.DecodeError` if it holds none."""
    return _decode(value)


def partition_of(user: str, partitions: int) -> int:
    """Return the partition that owns the history of `user`."""
    return crc32(user.encode()) % partitions


class CutBuilder:
    """Collects what one partition gets of a cut."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._rows: list[tuple[int, int, int, int, int, float]] = []
        self._dead: list[tuple[int, int]] = []
        self._skipped: list[tuple[int, int, str]] = []

    def add(self, source: int, offset: int, event: Event) -> None:
        """Add an event; one of unknown type is only counted."""
        if not event.known:
            self._skipped.append((source, offset, event.type))
            return
        users, items, types = self._users, self._items, self._types
        self._rows.append((
            source,
            offset,
            users.setdefault(event.user, len(users)),
            items.setdefault(event.item, len(items)),
            types.setdefault(event.type, len(types)),
            event.ts,
        ))  # fmt: skip

    def bury(self, source: int, offset: int) -> None:
        """Count a dead letter."""
        self._dead.append((source, offset))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self._rows or self._dead or self._skipped)

    def encode(self, generation: str, sources: list[Source]) -> bytes:
        """Return the message; `sources` are those that `add` and `bury` named by position."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(_DTYPES)
        return _encode(
            Cut(
                generation,
                sources,
                list(self._users),
                list(self._items),
                list(self._types),
                [
                    np.array(column, dtype).tobytes()
                    for column, dtype in zip(columns, _DTYPES, strict=True)
                ],
                self._dead,
                self._skipped,
            )
        )


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
    """

    users: list[str]
    interactions: Interactions
    applied: int
    replayed: int
    dead: int
    skipped: dict[str, int]


def admit(cut: Cut, fences: Fences, registry: Registry, weights: dict[str, float]) -> Admitted:
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
    )


def _columns(cut: Cut) -> tuple[Ints, Longs, Ints, Ints, Ints, Floats]:
    arrays = [
        np.frombuffer(column, dtype) for column, dtype in zip(cut.columns, _DTYPES, strict=True)
    ]
    return arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
