"""Deltas: the messages by which changes of histories reach the rows of a shard.

A delta says of each user which ratings changed and which stayed. So the owner of a row can add
`R_new^T R_new - R_old^T R_old` to it. A message with ratings instead of pairs is as small as the
histories behind it (ADR-0003).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.history import Revisions
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.item_dictionary import EncodedItems, encode_items
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.popularity_increments import NO_INCREMENTS, PopularityIncrements
from streamapp.core.messages.rating_blocks import Blocks, parts

PART_BITS = 20
"""The sequence number of a delta is the offset of its interactions << PART_BITS, plus its part."""

JOINT_KEY = b"deltas"
"""The key of a message with several deltas. A message with one delta has no key."""

JOINT_BYTES = 100_000
"""Most bytes of such a message. Its deltas are applied at once, and a block of this size changes
fewer cells than `rating_blocks.PART_CELLS`."""

_NO_SOURCE = -1
"""The partition of a delta that no interactions caused."""

_DTYPES = ("<i8", "<i4", "<f8", "<f8", "<i8", "<i4", "<f8", "<f8", "<i4", "<f8", "<i4")

_ITEMS = (1, 5, 8)
"""The columns that refer to items."""


class Delta(msgspec.Struct, array_like=True, frozen=True):
    """A delta on the wire.

    Attributes:
        state_id: The id of the state that it is for; a rebuilt state ignores older deltas.
        partition: Partition of the interactions that caused it.
        sequence: See `PART_BITS`.
        items: The items; a column refers to an item by its index here.
        columns: The arrays of `Blocks` in order, little endian; the arrays of its increments last.
        newest_ts: Of the increments.
    """

    state_id: str
    partition: int
    sequence: int
    items: EncodedItems
    columns: list[bytes]
    newest_ts: float

    def blocks(self, registry: Registry, translator: IdTranslator) -> Blocks:
        """Return the blocks with the item numbers of a registry.

        Args:
            registry: Learns the items that it does not know.
            translator: For messages of this state.

        Cost: O(entries + ids that the translator has not seen).
        """
        return blocks_of([self], registry, translator)[0]


def blocks_of(
    deltas: Sequence[Delta], registry: Registry, translator: IdTranslator
) -> list[Blocks]:
    """Return the blocks of each delta, as `Delta.blocks` does one after another.

    Many small deltas cost less together: numpy takes as long for few numbers as for some hundred.
    """
    sent = [(delta.items, delta.partition) for delta in deltas]
    numbers, starts = translator.numbers(sent, registry)
    columns: list[Any] = []
    spans: list[list[int]] = []
    for column, dtype in enumerate(_DTYPES):
        parts_ = [delta.columns[column] for delta in deltas]
        # A copy, because kernels take arrays that can be written to.
        joined: Any = np.frombuffer(b"".join(parts_), dtype).copy()
        counts = np.array([len(part) for part in parts_]) // joined.itemsize
        if column in _ITEMS:
            joined = numbers[joined + np.repeat(starts, counts)]
        columns.append(joined)
        spans.append([0, *np.cumsum(counts).tolist()])
    found = []
    for place, delta in enumerate(deltas):
        arrays: list[Any] = [
            joined[ends[place] : ends[place + 1]]
            for joined, ends in zip(columns, spans, strict=True)
        ]
        item, mass, exponent = arrays[8:]
        increments = PopularityIncrements(item, mass, exponent, delta.newest_ts)
        found.append(Blocks(*[*arrays[:8], increments]))
    return found


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode
_decode_joint = msgspec.msgpack.Decoder(list[Delta]).decode


def decode_delta(value: bytes) -> Delta:
    """Return the delta in `value`; raises `msgspec.DecodeError` if there is none."""
    return _decode(value)


def joint(values: Sequence[bytes]) -> bytes:
    """Return one message with the deltas of several, in order."""
    return _encode([msgspec.Raw(value) for value in values])


def decode_deltas(key: bytes | None, value: bytes) -> list[Delta]:
    """Return the deltas in a message; raises `msgspec.DecodeError` if there are none."""
    return _decode_joint(value) if key == JOINT_KEY else [_decode(value)]


class Origin(NamedTuple):
    """The source of a delta.

    Attributes:
        state_id: The id of the state.
        partition: Partition of the interactions that caused it.
        offset: Their offset.
    """

    state_id: str
    partition: int
    offset: int


def encode_deltas(
    revisions: Revisions,
    registry: Registry,
    shards: int,
    origin: Origin,
    increments: PopularityIncrements = NO_INCREMENTS,
) -> Iterator[tuple[int, bytes]]:
    """Yield (shard, message) for every shard that the changes concern, parts in order.

    A block goes to the owners of its items. The owner of a changed item gets all ratings of the
    history, and the owner of a kept item gets the changed ratings and its own. An increment goes to
    the owner of its item. Other shards learn the norms of changed items from their owners
    (ADR-0021).

    Args:
        revisions: Of histories.
        registry: Of the sender.
        shards: How many shards there are.
        origin: The source of the deltas.
        increments: What the same interactions add to the popularity of items.

    Cost: O(shards + messages * entries of the users in each).
    """
    owner, counter = (
        shard_of(shards, revisions.item) for shard_of in (registry.shards, registry.norm_shards)
    )
    starts, item, before, after = (
        revisions.starts, revisions.item, revisions.before, revisions.after,
    )  # fmt: skip
    concerned, user = _concerned(starts, before, after, owner, counter, shards)
    users = user[np.argsort(concerned, kind="stable")]
    ends = np.concatenate(([0], np.cumsum(np.bincount(concerned, minlength=shards))))
    popular, text = registry.shards(shards, increments.item), registry.text
    for shard in np.union1d(concerned, popular[popular >= 0]).tolist():
        some = users[ends[shard] : ends[shard + 1]]
        whole = Blocks(*_select(some, starts, item, before, after, revisions.as_of, owner, shard))
        for part, blocks in enumerate(parts(whole, increments.only(popular == shard), text[1])):
            yield shard, _encoded(blocks, registry, origin, part)


def _encoded(blocks: Blocks, registry: Registry, origin: Origin, part: int) -> bytes:
    increments = blocks.increments
    used, changed, kept, popular = _compact(
        blocks.changed, blocks.kept, increments.item, registry.scratch
    )
    columns: list[Any] = [blocks.changed_ends, changed, blocks.before, blocks.after,
                          blocks.kept_ends, kept, blocks.rating, blocks.as_of,
                          popular, increments.mass, increments.exponent]  # fmt: skip
    return _encode(
        Delta(
            origin.state_id,
            origin.partition,
            (origin.offset << PART_BITS) + part,
            encode_items(used, registry),
            [
                column.astype(dtype, copy=False).tobytes()
                for column, dtype in zip(columns, _DTYPES, strict=True)
            ],
            increments.newest_ts,
        )
    )


def encode_noop(state_id: str, sequence: int) -> bytes:
    """Return a delta that changes only the position of its shard; `sequence` must rise."""
    columns = [np.zeros(0, dtype).tobytes() for dtype in _DTYPES]
    return _encode(Delta(state_id, _NO_SOURCE, sequence, EncodedItems(), columns, -math.inf))


@compiled
def _concerned(
    starts: Longs, before: Floats, after: Floats, owner: Ints, counter: Ints, shards: int
) -> tuple[Ints, Ints]:
    """Return shards and users whose changes concern them, each pair once, in order of the users.

    A user concerns the shards that own an item of the history, and those that count the norm of a
    changed one.

    Args:
        starts: int64, shape (users + 1,). Where the entries of each history start.
        before: float64, shape (entries,).
        after: float64, shape (entries,).
        owner: int32, shape (entries,). The shard that has the row of the item; -1 without a row.
        counter: int32, shape (entries,). The shard that counts its norm.
        shards: How many shards there are.
    """
    users = len(starts) - 1
    shard, user = np.empty(2 * len(owner), np.int32), np.empty(2 * len(owner), np.int32)
    last = np.full(shards, -1, np.int32)
    pairs = 0
    for one in range(users):
        is_changed = False
        for entry in range(starts[one], starts[one + 1]):
            is_changed = is_changed or before[entry] != after[entry]
        if not is_changed:
            continue
        for entry in range(starts[one], starts[one + 1]):
            changes = before[entry] != after[entry]
            owned = owner[entry] >= 0 and (changes or after[entry] > 0)
            if owned and last[owner[entry]] != one:
                last[owner[entry]] = one
                shard[pairs], user[pairs] = owner[entry], one
                pairs += 1
            if changes and last[counter[entry]] != one:
                last[counter[entry]] = one
                shard[pairs], user[pairs] = counter[entry], one
                pairs += 1
    return shard[:pairs], user[:pairs]


@compiled
def _select(
    users: Ints,
    starts: Longs,
    item: Ints,
    before: Floats,
    after: Floats,
    as_of: Floats,
    owner: Ints,
    shard: int,
) -> tuple[Longs, Ints, Floats, Floats, Longs, Ints, Floats, Floats]:
    """Return the blocks that concern a shard.

    Args:
        users: int32. The users that concern it.
        starts: int64, shape (all users + 1,). Where the entries of each history start.
        item: int32, shape (entries,).
        before: float64, shape (entries,).
        after: float64, shape (entries,).
        as_of: float64, shape (all users,).
        owner: int32, shape (entries,). The shard that has the row of the item.
        shard: The shard.
    """
    most = 0
    for user in users:
        most += starts[user + 1] - starts[user]
    changed_ends, kept_ends = np.empty(len(users), np.int64), np.empty(len(users), np.int64)
    changed, old, new = np.empty(most, np.int32), np.empty(most), np.empty(most)
    kept, rating = np.empty(most, np.int32), np.empty(most)
    changes = keeps = 0
    for block, user in enumerate(users):
        concerns = False
        for entry in range(starts[user], starts[user + 1]):
            if before[entry] != after[entry]:
                changed[changes], old[changes] = item[entry], before[entry]
                new[changes] = after[entry]
                changes += 1
                concerns = concerns or owner[entry] == shard
        for entry in range(starts[user], starts[user + 1]):
            stays = before[entry] == after[entry] and after[entry] > 0
            if stays and (concerns or owner[entry] == shard):
                kept[keeps], rating[keeps] = item[entry], after[entry]
                keeps += 1
        changed_ends[block], kept_ends[block] = changes, keeps
    return (changed_ends, changed[:changes], old[:changes], new[:changes],
            kept_ends, kept[:keeps], rating[:keeps], as_of[users])  # fmt: skip


@compiled
def _compact(
    changed: Ints, kept: Ints, popular: Ints, scratch: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Renumber items by first appearance; `scratch` is zero before and after."""
    used = np.empty(len(changed) + len(kept) + len(popular), np.int32)
    size = 0
    columns = (np.empty_like(changed), np.empty_like(kept), np.empty_like(popular))
    for column, items in enumerate((changed, kept, popular)):
        for entry, number in enumerate(items):
            if scratch[number] == 0:
                used[size] = number
                size += 1
                scratch[number] = size
            columns[column][entry] = scratch[number] - 1
    for number in used[:size]:
        scratch[number] = 0
    return used[:size], columns[0], columns[1], columns[2]
