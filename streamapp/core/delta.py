"""Core. Turns revisions of histories into deltas: what changes in the rows of one shard.

A delta says of each user which ratings changed and which stayed, so that whoever owns a row can
add `R_new^T R_new - R_old^T R_old` to it. Sending ratings and not pairs keeps a delta as small as
the histories it tells of (ADR-0003).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays import Bools, Floats, Ints, Longs, compiled
from streamapp.core.history import Revisions
from streamapp.core.registry import Registry

PART_BITS = 20
"""A delta's place in its source: the offset, shifted by this, plus the number of the part."""

_NOBODY = -1
"""The source of a delta that no interactions caused."""

PART_ENTRIES = 40_000
"""Most entries of one delta message (a single user's block may be larger)."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rating changes, one block a user.

    Attributes:
        changed_ends: int64, shape (blocks,). Where each block's changed entries end.
        changed: int32. Item numbers; their rating went from `before` to `after`, never equal.
        before: float64, >= 0.
        after: float64, >= 0.
        kept_ends: int64, shape (blocks,). Where each block's kept entries end.
        kept: int32. Item numbers of the history whose `rating` did not change.
        rating: float64, > 0.
        as_of: float64, shape (blocks,). Newest event time behind the block in seconds.
    """

    changed_ends: Longs
    changed: Ints
    before: Floats
    after: Floats
    kept_ends: Longs
    kept: Ints
    rating: Floats
    as_of: Floats


_DTYPES = ("<i8", "<i4", "<f8", "<f8", "<i8", "<i4", "<f8", "<f8")


class Delta(msgspec.Struct, array_like=True, frozen=True):
    """A delta on the wire.

    Attributes:
        generation: Of the state that it is for; a rebuilt state ignores older deltas.
        partition: Partition of the interactions that caused it.
        place: Offset of the interactions << PART_BITS, plus the part.
        ids: Item ids; the columns name items by their position here.
        columns: The arrays of `Blocks`, little endian, in order.
    """

    generation: str
    partition: int
    place: int
    ids: list[str]
    columns: list[bytes]

    def blocks(self, registry: Registry) -> Blocks:
        """Return the blocks with items numbered by `registry`, which learns the new ones."""
        numbers = registry.number(self.ids)
        arrays = [
            np.frombuffer(column, dtype).copy()
            for column, dtype in zip(self.columns, _DTYPES, strict=True)
        ]
        arrays[1], arrays[5] = numbers[arrays[1]], numbers[arrays[5]]
        return Blocks(*arrays)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


def decode_delta(value: bytes) -> Delta:
    """Return the delta that `value` holds; raises `msgspec.DecodeError` if it holds none."""
    return _decode(value)


class Origin(NamedTuple):
    """Where a delta comes from.

    Attributes:
        generation: Of the state.
        partition: Partition of the interactions that caused it.
        offset: Their offset.
    """

    generation: str
    partition: int
    offset: int


def encode_deltas(
    revisions: Revisions, registry: Registry, shards: int, origin: Origin
) -> Iterator[tuple[int, bytes]]:
    """Yield (shard, message) for every shard that `revisions` concern, parts in order.

    Every shard learns of every changed rating, because the norm of an item moves it in the lists
    of all shards. What was kept goes where it is needed: all of it to the owners of changed items,
    and to other shards only their own items.
    """
    owner = registry.shards(shards, revisions.item)
    for shard in range(shards):
        whole = Blocks(*_select(revisions.starts, revisions.item, revisions.before,
                                revisions.after, revisions.as_of, owner == shard))  # fmt: skip
        for part, blocks in enumerate(_parts(whole)):
            used, changed, kept = _compact(blocks.changed, blocks.kept, registry.scratch)
            columns: list[Any] = [blocks.changed_ends, changed, blocks.before, blocks.after,
                       blocks.kept_ends, kept, blocks.rating, blocks.as_of]  # fmt: skip
            ids = registry.ids
            yield (
                shard,
                _encode(
                    Delta(
                        origin.generation,
                        origin.partition,
                        (origin.offset << PART_BITS) + part,
                        [ids[number] for number in used.tolist()],
                        [
                            column.astype(dtype, copy=False).tobytes()
                            for column, dtype in zip(columns, _DTYPES, strict=True)
                        ],
                    )
                ),
            )


def encode_nudge(generation: str, place: int) -> bytes:
    """Return a delta that changes nothing but the position of its shard; `place` must rise."""
    columns = [np.zeros(0, dtype).tobytes() for dtype in _DTYPES]
    return _encode(Delta(generation, _NOBODY, place, [], columns))


def _parts(whole: Blocks) -> Iterator[Blocks]:
    blocks, start = len(whole.as_of), 0
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
def _compact(changed: Ints, kept: Ints, scratch: Ints) -> tuple[Ints, Ints, Ints]:
    """Renumber items by first appearance; `scratch` is zero before and after."""
    used = np.empty(len(changed) + len(kept), np.int32)
    size = 0
    columns = (np.empty_like(changed), np.empty_like(kept))
    for column, items in enumerate((changed, kept)):
        for entry, number in enumerate(items):
            if scratch[number] == 0:
                used[size] = number
                size += 1
                scratch[number] = size
            columns[column][entry] = scratch[number] - 1
    for number in used[:size]:
        scratch[number] = 0
    return used[:size], columns[0], columns[1]
