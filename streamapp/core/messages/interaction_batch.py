"""Interactions on their way from the event topics to the partition of their user.

A worker reads the event topics in cuts. One message has the part of one cut that belongs to one
partition. Its boundaries are fixed once it is in the log, which makes every later step repeatable
(ADR-0002).
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.events.interaction_sink import NO_ITEM, NOBODY
from streamapp.core.histories.departures import Departure
from streamapp.core.histories.event_types import (
    FORGET,
    FORGET_CODE,
    MERGE,
    NO_ORDER,
    EventTypes,
)
from streamapp.core.histories.history import EVERY_ITEM, Interactions
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets

_DTYPES = ("<i4", "<i8", "<i4", "<i4", "<i4", "<f8")

_IDLE_PER_BATCH = 10_000
"""Most users in one request to forget them: the longest ids fit into a message."""

_SKIPPED_TYPES = 100
_SKIPPED_CHARACTERS = 100
_SKIPPED_TEXT = 1_000_000
"""Most characters of unknown types in one cut: an envelope may name one type for many events."""

_OTHER = "(other)"
"""The name of all types that have no name of their own."""

_INTERACTION_BYTES, _ORDER_BYTES, _TEXT_BYTES, _LEAVE_BYTES = 32, 8, 6, 30
_DEAD_BYTES, _SKIPPED_BYTES, _SOURCE_BYTES = 12, 24, 300
"""Most bytes of each on the wire, beside the text of ids and types."""


class Source(msgspec.Struct, array_like=True, frozen=True):
    """A partition of an event topic, and the end of the cut in it."""

    topic: str
    partition: int
    end: int

    @property
    def name(self) -> str:
        """The name of the source in `AppliedOffsets`."""
        return f"{self.topic}/{self.partition}"


class InteractionBatch(msgspec.Struct, array_like=True, frozen=True):
    """Interactions on the wire.

    Attributes:
        state_id: The id of the state that they are for; a rebuilt state ignores older batches.
        sources: The partitions of the event topics.
        users: User ids; a column refers to a user by its index here.
        items: Item ids, in the same form.
        types: Event types, in the same form.
        columns: Little-endian arrays of one length: source, offset, user, item, type, ts.
        dead: (source, offset) of every dead letter.
        skipped: (source, offset, type) of every event of an unknown type.
        idle: (user, newest time) of histories to forget, if that is still their newest time. A
            batch with any of these has no interactions.
        orders: One more such column, float64: the number of the order of each interaction; empty
            if no interaction names one.
        leaves: (interaction, user who takes over or "", timestamp of the record in milliseconds,
            place among those of its record) of every interaction that ends a history.
        origin: Of a history that travels: the merge that sent it. The interactions of such a
            batch are what the history holds, and add nothing to popularity.
    """

    state_id: str
    sources: list[Source]
    users: list[str]
    items: list[str]
    types: list[str]
    columns: list[bytes]
    dead: list[tuple[int, int]]
    skipped: list[tuple[int, int, str]]
    idle: list[tuple[str, float]] = []
    orders: bytes = b""
    leaves: list[tuple[int, str, int, int]] = []
    origin: Departure | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InteractionBatch).decode


def decode_interactions(value: bytes) -> InteractionBatch:
    """Return the batch in `value`; raises `msgspec.DecodeError` if there is none."""
    return _decode(value)


def encode_batch(batch: InteractionBatch) -> bytes:
    """Return a batch as it is sent."""
    return _encode(batch)


def encode_idle(state_id: str, idle: list[tuple[str, float]]) -> Iterator[bytes]:
    """Yield batches that forget users, given (user, newest time of the history)."""
    columns = [np.zeros(0, dtype).tobytes() for dtype in _DTYPES]
    for start in range(0, len(idle), _IDLE_PER_BATCH):
        some = idle[start : start + _IDLE_PER_BATCH]
        yield _encode(InteractionBatch(state_id, [], [], [], [], columns, [], [], some))


def partition_of(user: str, partitions: int) -> int:
    """Return the partition that owns the history of `user`."""
    return crc32(user.encode()) % partitions


def counted_type(event_type: str, counted: Collection[str]) -> str:
    """Return the name under which an event of an unknown type is counted.

    Trackers write any text there and counters stay for ever, so the first types are counted by
    name, and all others share one name.

    Args:
        event_type: The unknown type.
        counted: The names that are in use.
    """
    if event_type in counted:
        return event_type
    if len(counted) < _SKIPPED_TYPES and len(event_type) <= _SKIPPED_CHARACTERS:
        return event_type
    return _OTHER


class InteractionBatchBuilder:
    """Collects the interactions of one cut, and splits them by the partition of the user."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._source_of: dict[str, int] = {}
        self._source = 0
        self._users: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._texts = [_TextSize(one) for one in (self._users, self._items, self._types)]
        self._columns: tuple[list[Any], ...] = tuple([] for _ in _DTYPES)
        self._orders: dict[int, float] = {}
        self._leaves: dict[int, tuple[str, int, int]] = {}
        self._leaves_text = 0
        self._left_at = (-1, -1, 0)
        self._dead: list[tuple[int, int]] = []
        self._skipped: list[tuple[int, int, str, int]] = []
        self._skipped_text = 0

    def most_bytes(self) -> int:
        """Return the most bytes of all messages together. Cost: O(texts since the last call)."""
        each = _INTERACTION_BYTES + (_ORDER_BYTES if self._orders else 0)
        return (
            each * len(self._columns[0])
            + sum(text.bytes() for text in self._texts)
            + _LEAVE_BYTES * len(self._leaves)
            + self._leaves_text
            + _DEAD_BYTES * len(self._dead)
            + _SKIPPED_BYTES * len(self._skipped)
            + 4 * self._skipped_text
            + _SOURCE_BYTES * len(self._sources)
        )

    def begin(self, source: Source) -> None:
        """Set the source of what is added from here on; it may come again, with a later end."""
        self._source = self._source_of.setdefault(source.name, len(self._sources))
        if self._source == len(self._sources):
            self._sources.append(source)
        else:
            self._sources[self._source] = source

    def add(
        self,
        offset: int,
        user: str,
        item: str,
        event_type: str,
        ts: float,
        order: float = NO_ORDER,
    ) -> None:
        """Add an interaction."""
        users, items, types = self._users, self._items, self._types
        sources, offsets, user_column, item_column, type_column, ts_column = self._columns
        if order:
            self._orders[len(sources)] = order
        sources.append(self._source)
        offsets.append(offset)
        user_column.append(users.setdefault(user, len(users)))
        item_column.append(items.setdefault(item, len(items)))
        type_column.append(types.setdefault(event_type, len(types)))
        ts_column.append(ts)

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Add an event that ends the history of a user, and perhaps hands it to another user."""
        source, at, place = self._left_at
        place = place + 1 if (source, at) == (self._source, offset) else 0
        self._left_at = self._source, offset, place
        self._leaves[len(self._columns[0])] = into, logged_ms, place
        self._leaves_text += len(into.encode())
        self.add(offset, user, NO_ITEM, MERGE if into else FORGET, -math.inf)

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Count an event of an unknown type."""
        if len(event_type) > min(_SKIPPED_CHARACTERS, _SKIPPED_TEXT - self._skipped_text):
            event_type = _OTHER
        else:
            self._skipped_text += len(event_type)
        number = self._users.setdefault(user, len(self._users))
        self._skipped.append((self._source, offset, event_type, number))

    def count_dead_letter(self, offset: int) -> None:
        """Count a dead letter."""
        self._dead.append((self._source, offset))

    def encode(self, state_id: str, partitions: int) -> dict[int, bytes]:
        """Return the message of each partition that gets any.

        A dead letter is counted in the partition with the number of its source.

        Args:
            state_id: The id of the state.
            partitions: Of the interactions topic.

        Cost: O(n log n + partitions) for n interactions.
        """
        partition_by_user = np.array([partition_of(user, partitions) for user in self._users], int)
        columns = [
            np.array(column, dtype) for column, dtype in zip(self._columns, _DTYPES, strict=True)
        ]
        orders = np.full(len(columns[0]), NO_ORDER)
        orders[list(self._orders)] = list(self._orders.values())
        target = partition_by_user[columns[2]]
        # Stable, so the interactions of a user stay in order.
        order = np.argsort(target, kind="stable")
        columns, orders = [column[order] for column in columns], orders[order]
        spans = np.searchsorted(target[order], np.arange(partitions + 1))
        leaves: dict[int, list[tuple[int, str, int, int]]] = {}
        if self._leaves:
            place_of = np.argsort(order)
            for row, leave in self._leaves.items():
                number = int(partition_by_user[self._columns[2][row]])
                own = int(place_of[row] - spans[number])
                leaves.setdefault(number, []).append((own, *leave))
        dead: dict[int, list[tuple[int, int]]] = {}
        for source, offset in self._dead:
            number = self._sources[source].partition % partitions
            dead.setdefault(number, []).append((source, offset))
        skipped: dict[int, list[tuple[int, int, str]]] = {}
        for source, offset, event_type, user in self._skipped:
            number = int(partition_by_user[user])
            skipped.setdefault(number, []).append((source, offset, event_type))
        names = list(self._users), list(self._items), list(self._types)
        return {
            partition: _encode(
                InteractionBatch(
                    state_id,
                    self._sources,
                    *_compacted(names, [column[_span(spans, partition)] for column in columns]),
                    dead.get(partition, []),
                    skipped.get(partition, []),
                    orders=_packed_orders(orders[_span(spans, partition)]),
                    leaves=leaves.get(partition, []),
                )
            )
            for partition in sorted({*np.unique(target).tolist(), *dead, *skipped})
        }


class _TextSize:
    """The size of texts on the wire; their dictionary only grows."""

    def __init__(self, texts: dict[str, int]) -> None:
        self._texts = texts
        self._seen = self._bytes = 0

    def bytes(self) -> int:
        """Return the most bytes that the texts take."""
        new = list(islice(reversed(self._texts), len(self._texts) - self._seen))
        self._seen = len(self._texts)
        self._bytes += _TEXT_BYTES * len(new) + len("".join(new).encode())
        return self._bytes


def _span(spans: Longs, partition: int) -> slice:
    return slice(int(spans[partition]), int(spans[partition + 1]))


def _packed_orders(orders: Floats) -> bytes:
    return orders.astype("<f8", copy=False).tobytes() if orders.any() else b""


def _compacted(
    names: Sequence[list[str]], columns: list[Any]
) -> tuple[list[str], list[str], list[str], list[bytes]]:
    """Return the users, items and types in use, and the columns renumbered to these."""
    used: list[list[str]] = []
    for index, every in zip((2, 3, 4), names, strict=True):
        numbers, columns[index] = np.unique(columns[index], return_inverse=True)
        used.append([every[number] for number in numbers.tolist()])
    packed = [
        column.astype(dtype, copy=False).tobytes()
        for column, dtype in zip(columns, _DTYPES, strict=True)
    ]
    return used[0], used[1], used[2], packed


class Leaving(NamedTuple):
    """An interaction that ends a history.

    Attributes:
        user: The user.
        event: Its place in `Admitted.interactions`.
        departure: What is to be known of it.
    """

    user: str
    event: int
    departure: Departure


@dataclass(frozen=True, slots=True)
class Admitted:
    """The part of a batch that was not applied before.

    Attributes:
        users: User ids, distinct, without `NOBODY`.
        interactions: Grouped by user, in the order of `users`.
        of_nobody: Interactions that count for popularity alone, as one group.
        leaving: The interactions that end a history.
        applied: How many interactions there are, with those of nobody.
        replayed: How many other interactions were applied before.
        dead: How many dead letters.
        skipped: Events of unknown type, by type.
        newest_ts: Newest time of an interaction in seconds; -inf without any.
        idle: Users whose history is to be forgotten, with the newest time of that history.
        origin: The merge behind the interactions, if they are a history that travels.
        onward: The later departure of their user, if they are to travel on.
    """

    users: list[str]
    interactions: Interactions
    of_nobody: Interactions
    leaving: list[Leaving]
    applied: int
    replayed: int
    dead: int
    skipped: dict[str, int]
    newest_ts: float
    idle: dict[str, float]
    origin: Departure | None = None
    onward: Departure | None = None

    @property
    def forgotten(self) -> set[str]:
        """The users whose history ends here."""
        return {one.user for one in self.leaving}


def admit(
    batch: InteractionBatch,
    applied: AppliedOffsets,
    registry: Registry,
    types: EventTypes,
) -> Admitted:
    """Return the part of `batch` that was not applied before.

    Args:
        batch: As it was received.
        applied: By source of the batch; advanced to the end of the batch.
        registry: Learns the items.
        types: The types that count.

    Raises:
        KeyError: the batch has a type without a weight, which takes nothing back.

    Cost: O(n log n).
    """
    source, offset, user, item, event_type, ts = _columns(batch)
    below = [applied[one.name] for one in batch.sources]
    fresh = offset >= np.array(below, np.int64)[source]
    order = np.flatnonzero(fresh)[np.argsort(user[fresh], kind="stable")]
    numbers, codes = _numbers(batch.items, registry), types.numbers(batch.types)
    orders = np.frombuffer(batch.orders, "<f8") if batch.orders else np.full(len(ts), NO_ORDER)
    # The user number -1 means no user; this keeps every interaction with a user.
    nobody = batch.users.index(NOBODY) if NOBODY in batch.users else -1
    paired, popular = order[user[order] != nobody], order[user[order] == nobody]
    present, counts = np.unique(user[paired], return_counts=True)
    skipped: dict[str, int] = {}
    for number, at, name in batch.skipped:
        if at >= below[number]:
            skipped[name] = skipped.get(name, 0) + 1
    dead = sum(at >= below[number] for number, at in batch.dead)
    for one in batch.sources:
        applied.advance(one.name, one.end)

    def grouped(chosen: Longs, sizes: Longs) -> Interactions:
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        return Interactions(
            starts, numbers[item[chosen]], codes[event_type[chosen]], ts[chosen], orders[chosen]
        )

    return Admitted(
        users=[batch.users[number] for number in present.tolist()],
        interactions=grouped(paired, counts),
        of_nobody=grouped(popular, np.array([len(popular)])),
        leaving=_leaving(batch, paired, codes[event_type[paired]]),
        # The entries of a history that travels were counted when they came as events.
        applied=0 if batch.origin else len(order),
        replayed=len(offset) - len(order),
        dead=dead,
        skipped=skipped,
        newest_ts=float(ts[order].max(initial=-np.inf)),
        idle=dict(batch.idle),
        origin=batch.origin,
    )


def _numbers(items: Sequence[str], registry: Registry) -> Ints:
    """Return the numbers of items; a refund of a whole order names none."""
    numbers = np.full(len(items), EVERY_ITEM, np.int32)
    named = np.array([item != NO_ITEM for item in items], np.bool_)
    numbers[named] = registry.number([item for item in items if item != NO_ITEM])
    return numbers


def _leaving(batch: InteractionBatch, rows: Longs, codes: Bytes) -> list[Leaving]:
    """Return which of these rows of a batch end a history."""
    if {FORGET, MERGE}.isdisjoint(batch.types):
        return []
    source, offset, user, *_ = _columns(batch)
    said = {leave[0]: leave for leave in batch.leaves}
    found = []
    for event in np.flatnonzero(codes == FORGET_CODE).tolist():
        row = int(rows[event])
        _, into, logged_ms, place = said.get(row, (row, NOBODY, -1, 0))
        departure = Departure(
            into, batch.sources[source[row]].name, int(offset[row]), place, logged_ms
        )
        found.append(Leaving(batch.users[user[row]], event, departure))
    return found


def _columns(batch: InteractionBatch) -> tuple[Ints, Longs, Ints, Ints, Ints, Floats]:
    arrays = [
        np.frombuffer(column, dtype) for column, dtype in zip(batch.columns, _DTYPES, strict=True)
    ]
    return arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
