"""Rating changes of users, and how they are divided into messages of a bounded size.

A block says of one user which ratings changed and which stayed; the dots of the user's items change
by `R_new^T R_new - R_old^T R_old`. A history may be too large for one message, and its dots too
many for the memory of a shard. Then its block becomes several whose changes add up to the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.messages.message_size import PART_BYTES
from streamapp.core.messages.popularity_increments import NO_INCREMENTS, PopularityIncrements

PART_ENTRIES = 40_000
"""Most entries of one part."""

PART_CELLS = 16_000_000
"""Most cells that one part changes: a shard takes 16 bytes for each, and 128 for a few."""

_CHANGED_BYTES, _KEPT_BYTES, _BLOCK_BYTES, _INCREMENT_BYTES = 26, 18, 24, 22
"""Bytes of an entry, a block and an increment on the wire, beside the id of its item."""

_LONGEST_ENTRY = 26 + 514
"""Most bytes of an entry on the wire: the longest id with the prefix of a role."""

_CHANGED_AT_ONCE = 2_000
"""Most changed entries of a block that is divided."""


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

    def some(self, start: int, end: int) -> "Blocks":
        """Return the blocks from `start` to `end`, without increments."""
        changed_base = int(self.changed_ends[start - 1]) if start else 0
        kept_base = int(self.kept_ends[start - 1]) if start else 0
        changed = slice(changed_base, int(self.changed_ends[end - 1]))
        kept = slice(kept_base, int(self.kept_ends[end - 1]))
        return Blocks(
            self.changed_ends[start:end] - changed_base,
            self.changed[changed],
            self.before[changed],
            self.after[changed],
            self.kept_ends[start:end] - kept_base,
            self.kept[kept],
            self.rating[kept],
            self.as_of[start:end],
        )


def joined(some: Sequence[Blocks]) -> Blocks:
    """Return blocks one after another, and all their increments. Cost: O(entries)."""
    if len(some) == 1:
        return some[0]
    increments = [one.increments for one in some]
    return Blocks(
        _ends([one.changed_ends for one in some]),
        np.concatenate([one.changed for one in some]),
        np.concatenate([one.before for one in some]),
        np.concatenate([one.after for one in some]),
        _ends([one.kept_ends for one in some]),
        np.concatenate([one.kept for one in some]),
        np.concatenate([one.rating for one in some]),
        np.concatenate([one.as_of for one in some]),
        PopularityIncrements(
            np.concatenate([one.item for one in increments]),
            np.concatenate([one.mass for one in increments]),
            np.concatenate([one.exponent for one in increments]),
            max(one.newest_ts for one in increments),
        ),
    )


def _ends(some: Sequence[Longs]) -> Longs:
    """Return where entries end if those of each of `some` follow the ones before."""
    entries = np.array([one[-1] if len(one) else 0 for one in some], np.int64)
    bases = np.repeat(np.cumsum(entries) - entries, [len(one) for one in some])
    return np.concatenate(some) + bases


def parts(whole: Blocks, increments: PopularityIncrements, ends: Longs) -> Iterator[Blocks]:
    """Yield blocks and increments in parts, each within the limits of this module.

    Args:
        whole: The blocks.
        increments: The increments.
        ends: int64. Where the id of each item ends in the text of all ids; entry 0 is 0.

    Cost: O(entries). A block above the limits is sent about once for every `_CHANGED_AT_ONCE`
    changed entries.
    """
    popular = list(_increments(increments, ends))
    for part in _blocks(whole, ends):
        yield replace(part, increments=popular.pop(0)) if popular else part
    for some in popular:
        yield replace(_no_blocks(whole), increments=some)


def _increments(increments: PopularityIncrements, ends: Longs) -> Iterator[PopularityIncrements]:
    if not len(increments.item):
        return
    if len(increments.item) * _LONGEST_ENTRY <= PART_BYTES:
        yield increments
        return
    part = np.cumsum(_INCREMENT_BYTES + _id_bytes(increments.item, ends)) // PART_BYTES
    for number in range(int(part[-1]) + 1):
        yield increments.only(part == number)


def _blocks(whole: Blocks, ends: Longs) -> Iterator[Blocks]:
    blocks, start = len(whole.as_of), 0
    if not blocks:
        return
    entries = len(whole.changed) + len(whole.kept)
    most = min(PART_ENTRIES, PART_BYTES // _LONGEST_ENTRY)
    if entries <= most and entries * entries <= PART_CELLS:
        yield whole
        return
    changes, keeps = np.diff(whole.changed_ends, prepend=0), np.diff(whole.kept_ends, prepend=0)
    wire = np.arange(1, blocks + 1) * _BLOCK_BYTES
    wire += np.cumsum(_CHANGED_BYTES + _id_bytes(whole.changed, ends))[whole.changed_ends - 1]
    kept = np.cumsum(_KEPT_BYTES + _id_bytes(whole.kept, ends))
    wire += np.concatenate((np.zeros(1, np.int64), kept))[whole.kept_ends]
    limits = (
        (whole.changed_ends + whole.kept_ends, PART_ENTRIES),
        (wire, PART_BYTES),
        (np.cumsum(changes * (changes + keeps)), PART_CELLS),
    )
    while start < blocks:
        bases = [sums[start - 1] if start else 0 for sums, _ in limits]
        end = min(
            int(np.searchsorted(sums, base + most, "right"))
            for base, (sums, most) in zip(bases, limits, strict=True)
        )
        if end > start:
            yield whole.some(start, end)
        else:
            end = start + 1
            yield from _divided(whole.some(start, end), ends)
        start = end


def _divided(block: Blocks, ends: Longs) -> Iterator[Blocks]:
    """Yield blocks that together change what one block changes that is above the limits.

    The ratings change in steps, some at a time; the others are kept ones, as they were or as they
    will be. If the kept ones of a step are too many for one block, the step is taken with some of
    them, taken back alone, and taken again with the next ones. So its own dots change once.
    """
    starts = range(0, len(block.changed), _CHANGED_AT_ONCE)
    for start in starts:
        step = slice(start, start + _CHANGED_AT_ONCE)
        changed, before, after = block.changed[step], block.before[step], block.after[step]
        now = np.concatenate((block.after[:start], block.before[step.stop :]))
        item = np.concatenate((block.changed[:start], block.changed[step.stop :]))
        kept = np.concatenate((block.kept, item[now > 0]))
        rating = np.concatenate((block.rating, now[now > 0]))
        most = min(PART_ENTRIES, PART_CELLS // len(changed)) - len(changed)
        by_bytes = np.cumsum(_KEPT_BYTES + _id_bytes(kept, ends)) // (PART_BYTES // 2)
        by_count = np.arange(len(kept)) // most
        part = by_bytes + by_count
        found = np.unique(part)
        for number in found if len(found) else [0]:
            if number:
                yield _block(block, changed, after, before, kept[:0], rating[:0])
            chosen = part == number
            yield _block(block, changed, before, after, kept[chosen], rating[chosen])


def _block(
    of: Blocks, changed: Ints, before: Floats, after: Floats, kept: Ints, rating: Floats
) -> Blocks:
    changed_ends, kept_ends = np.array([len(changed)]), np.array([len(kept)])
    return Blocks(changed_ends, changed, before, after, kept_ends, kept, rating, of.as_of)


def _no_blocks(like: Blocks) -> Blocks:
    none = slice(0, 0)
    return Blocks(
        like.changed_ends[none],
        like.changed[none],
        like.before[none],
        like.after[none],
        like.kept_ends[none],
        like.kept[none],
        like.rating[none],
        like.as_of[none],
    )


def _id_bytes(items: Ints, ends: Longs) -> Longs:
    return ends[items + 1] - ends[items]
