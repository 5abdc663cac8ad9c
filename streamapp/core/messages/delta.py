"""Deltas: the messages by which changes of histories reach the rows of a shard.

A delta says of each user which ratings changed and which stayed. So the owner of a row can add
`R_new^T R_new - R_old^T R_old` to it. A message with ratings instead of pairs is as small as the
histories behind it (ADR-0003).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.history import Revisions
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.item_dictionary import EncodedItems, IdTranslator, encode_items
from streamapp.core.messages.popularity_increments import NO_INCREMENTS, PopularityIncrements

PART_BITS = 20
"""The sequence number of a delta is the offset of its interactions << PART_BITS, plus its part."""

_NO_SOURCE = -1
"""The partition of a delta that no interactions caused."""

PART_ENTRIES = 40_000
"""Most entries of one delta message (a single user's block may be larger)."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rating changes, one block a user.

    Attributes:
        changed_ends: int64, shape (blocks,). Where each block's changed entries end.
        changed: int32. Item numbers; their rating changed from `before` to `after`.
        before: float64, >= 0.
        after: float64, >= 0.
        kept_ends: int64, shape (blocks,). Where each block's kept entries end.
        kept: int32. Item numbers of the history whose `rating` did not change.
        rating: float64, > 0.
        as_of: float64, shape (blocks,). Newest event time behind the block in seconds.
        increments: What the interactions behind the blocks add to the popularity of items.
    """

    changed_ends: Longs
    changed: Ints
    before: Floats
    after: Floats
    kept_ends: Longs
    kept: Ints
    rating: Floats
    as_of: Floats
    increments: PopularityIncrements = NO_INCREMENTS


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
        numbers = translator.numbers(self.items, self.partition, registry)
        arrays: list[Any] = [
            np.frombuffer(column, dtype).copy()
            for column, dtype in zip(self.columns, _DTYPES, strict=True)
        ]
        for column in _ITEMS:
            arrays[column] = numbers[arrays[column]]
        item, mass, exponent = arrays[8:]
        increments = PopularityIncrements(item, mass, exponent, self.newest_ts)
        return replace(Blocks(*arrays[:8]), increments=increments)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


def decode_delta(value: bytes) -> Delta:
    """Return the delta in `value`; raises `msgspec.DecodeError` if there is none."""
    return _decode(value)


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

    Every shard gets every changed rating, because the norm of an item changes its score in the
    lists of all shards. A kept rating goes where it is needed: to the owners of changed items, and
    to the owner of its item. An increment goes to the owner of its item.

    Args:
        revisions: Of histories.
        registry: Of the sender.
        shards: How many shards there are.
        origin: The source of the deltas.
        increments: What the same interactions add to the popularity of items.

    Cost: O(shards * entries).
    """
    owner = registry.shards(shards, revisions.item)
    popular = registry.shards(shards, increments.item)
    for shard in range(shards):
        whole = Blocks(*_select(revisions.starts, revisions.item, revisions.before,
                                revisions.after, revisions.as_of, owner == shard))  # fmt: skip
        for part, blocks in enumerate(_parts(whole, increments.only(popular == shard))):
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


def _parts(whole: Blocks, increments: PopularityIncrements) -> Iterator[Blocks]:
    """Yield blocks of a bounded size; the increments are in the first part."""
    blocks, start = len(whole.as_of), 0
    if not blocks and len(increments.item):
        yield replace(whole, increments=increments)
    sizes = whole.changed_ends + whole.kept_ends
    while start < blocks:
        base = sizes[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(sizes, base + PART_ENTRIES, "right")))
        changed_base = int(whole.changed_ends[start - 1]) if start else 0
        kept_base = int(whole.kept_ends[start - 1]) if start else 0
        changed = slice(changed_base, int(whole.changed_ends[end - 1]))
        kept = slice(kept_base, int(whole.kept_ends[end - 1]))
        yield Blocks(
            whole.changed_ends[start:end] - changed_base,
            whole.changed[changed],
            whole.before[changed],
            whole.after[changed],
            whole.kept_ends[start:end] - kept_base,
            whole.kept[kept],
            whole.rating[kept],
            whole.as_of[start:end],
            NO_INCREMENTS if start else increments,
        )
        start = end


@compiled
def _select(
    starts: Longs,
    item: Ints,
    before: Floats,
    after: Floats,
    as_of: Floats,
    owned: Bools,
) -> tuple[Longs, Ints, Floats, Floats, Longs, Ints, Floats, Floats]:
    users = len(starts) - 1
    changed_ends, kept_ends = np.empty(users, np.int64), np.empty(users, np.int64)
    changed, old, new = np.empty_like(item), np.empty_like(before), np.empty_like(after)
    kept, rating = np.empty_like(item), np.empty_like(after)
    newest = np.empty(users)
    blocks = changes = keeps = 0
    for user in range(users):
        first, concerns = changes, False
        for entry in range(starts[user], starts[user + 1]):
            if before[entry] != after[entry]:
                changed[changes], old[changes] = item[entry], before[entry]
                new[changes] = after[entry]
                changes += 1
                concerns = concerns or owned[entry]
        if changes == first:
            continue
        for entry in range(starts[user], starts[user + 1]):
            stays = before[entry] == after[entry] and after[entry] > 0
            if stays and (concerns or owned[entry]):
                kept[keeps], rating[keeps] = item[entry], after[entry]
                keeps += 1
        changed_ends[blocks], kept_ends[blocks] = changes, keeps
        newest[blocks] = as_of[user]
        blocks += 1
    return (changed_ends[:blocks], changed[:changes], old[:changes], new[:changes],
            kept_ends[:blocks], kept[:keeps], rating[:keeps], newest[:blocks])  # fmt: skip


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
