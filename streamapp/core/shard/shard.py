"""A shard: the counts and the lists of the items that one partition of the deltas topic owns.

A shard is a function of its log. Two shards are equal after the same messages, for any owner
and any grouping of the messages. Rows may be absent from memory; the caller loads them before
`apply` or `rank` needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from streamapp.core.arrays.array_types import Bools, Ints, Longs
from streamapp.core.arrays.columns import Columns
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.counts.rows import CELL, Rows
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.received_items import ReceivedItems
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule, Ranking, rank
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import CatalogueUpdate
from streamapp.core.messages.content_neighbours import ContentNeighbours
from streamapp.core.messages.delta import Delta, blocks_of
from streamapp.core.messages.norm_update import NormUpdate
from streamapp.core.messages.norm_values import NormValues
from streamapp.core.messages.rating_blocks import Blocks
from streamapp.core.shard.content_lists import ShardContentLists
from streamapp.core.shard.published_lists import PublishedLists
from streamapp.core.shard.visibility import Visibility
from streamapp.core.trending.categories import Categories
from streamapp.core.trending.popularity import Popularity

AS_OF_BYTES = 8
"""A stored row begins with its newest event time, a float64; its cells follow."""


@dataclass(slots=True)
class Shard:
    """One shard in memory.

    Attributes:
        number: The number of this shard.
        count: How many shards there are.
        rule: How lists are made.
        state_id: The id of the state; a message for another state is not applied.
        position: First offset of the shard's log that is not applied.
        registry: Items by number.
        counts: Rows of the items that the shard owns, and the norms of all items that it knows.
        applied_offsets: First sequence number that is not applied, by source of the messages.
        popularity: How popular each owned item is.
        visibility: Which items no list shows.
        categories: The categories of the owned items, and what is popular in each.
        content: Content neighbours, for lists that have no entry from counts.
        norms_seen: int64 by shard. The norms include what each other shard had shared at this
            position of its own log.
        norms_taken: All items whose norm came from another shard have numbers below this one.
        tolerance: That of `PublishedLists`.
        lists: What is known of the published lists.
    """

    number: int
    count: int
    rule: ListRule
    state_id: str
    position: int
    registry: Registry
    counts: NormsAndRows
    applied_offsets: AppliedOffsets
    popularity: Popularity = field(default_factory=Popularity)
    visibility: Visibility = field(default_factory=Visibility)
    categories: Categories = field(default_factory=Categories)
    content: ShardContentLists = field(default_factory=ShardContentLists)
    norms_seen: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    norms_taken: int = 0
    tolerance: float = 0.0
    lists: PublishedLists = field(init=False)
    _items: Columns = field(init=False)
    _numbered: int = field(init=False, default=0)
    _translator: IdTranslator = field(init=False, default_factory=IdTranslator)

    def __post_init__(self) -> None:
        self.lists = PublishedLists(self.rule.top_n, self.tolerance)
        if not len(self.norms_seen):
            self.norms_seen = np.zeros(self.count, np.int64)
        self._items = Columns({"owned": np.bool_, "counted": np.bool_, "unsaved": np.bool_})
        self._reserve()

    @property
    def norms(self) -> Norms:
        """The norms of all items."""
        return self.counts.norms

    @property
    def rows(self) -> Rows:
        """The rows of the owned items."""
        return self.counts.rows

    @property
    def owned(self) -> Bools:
        """Bool by number. Items whose rows belong to this shard."""
        return self._items["owned"]

    @property
    def counted(self) -> Bools:
        """Bool by number. Items whose norm this shard counts, and shares with other shards."""
        return self._items["counted"]

    @property
    def unsaved(self) -> Bools:
        """Bool by number. Rows that changed since they were packed for the store."""
        return self._items["unsaved"]

    def translate_with(self, received: ReceivedItems) -> None:
        """Keep what the numbers of senders mean in `received`, which other shards share."""
        self._translator = IdTranslator(received)

    def admit(self, delta: Delta) -> Blocks | None:
        """Learn the items of a delta; return its blocks, or None if it was applied before."""
        return self.admit_all([delta])[0]

    def admit_all(self, deltas: Sequence[Delta]) -> list[Blocks | None]:
        """Learn the items of deltas; return for each what `admit` does."""
        found: list[Blocks | None] = []
        for ours, some in groupby(deltas, lambda delta: delta.state_id == self.state_id):
            run = list(some)
            # The numbers of another state mean nothing, also not to each other.
            runs = [run] if ours else [[delta] for delta in run]
            for one in runs:
                translator = self._translator if ours else IdTranslator()
                blocks = blocks_of(one, self.registry, translator)
                found += map(self._if_new, one, blocks) if ours else [None]
        self._reserve()
        return found

    def _if_new(self, delta: Delta, blocks: Blocks) -> Blocks | None:
        source = str(delta.partition)
        if delta.sequence < self.applied_offsets[source]:
            return None
        self.applied_offsets.advance(source, delta.sequence + 1)
        return blocks

    def apply_update(self, update: CatalogueUpdate, offset: int) -> bool:
        """Apply the catalogue update at `offset` of the shard's log; say whether it is new.

        A hidden item leaves the lists that hold it, as if its norm had risen without end. An item
        that is shown again may enter every list whose row holds it, as if its norm had fallen.
        """
        if update.state_id != self.state_id:
            return False
        changes = update.new_changes(self.applied_offsets)
        if not changes:
            return False
        items = self.visibility.apply(changes, offset, self.registry)
        owned = self.categories.owned_changes(changes, self.number, self.count)
        self.registry.number([item for item, category in owned.items() if category])
        self._reserve()
        self.categories.apply(owned, self.registry)
        self.categories.mark_dirty(items)
        self.norms.mark_changed(items, decreased=items[~self.visibility.hidden[items]])
        self.popularity.refresh_top(items, self.registry, self.visibility.mask)
        if self.content.lists:
            ids = {self.registry.ids[number] for number in items.tolist()}
            self.lists.mark_dirty(self.content.holding(ids, self.registry))
        return True

    def apply_content_neighbours(self, matches: ContentNeighbours, offset: int) -> bool:
        """Apply the content neighbours at `offset` of the shard's log; say whether they are new."""
        if matches.state_id != self.state_id or not matches.admit(self.applied_offsets):
            return False
        items = self.content.apply(matches, offset, self.registry)
        self._reserve()
        self.lists.mark_dirty(items)
        return True

    def absent(self, blocks: Sequence[Blocks]) -> Ints:
        """Return the rows, int32, that `apply` of these blocks needs and that are not in memory."""
        items = [items for some in blocks for items in (some.changed, some.kept)]
        needed = np.concatenate([np.zeros(0, np.int32), *items])
        return np.unique(needed[self.owned[needed] & ~self.rows.present[needed]])

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Apply the delta at `offset` of the shard's log; its rows must be present."""
        self.norms.apply(blocks, offset, self.counted)
        hidden = self.visibility.mask
        self.popularity.add(blocks.increments, offset, self.registry, hidden)
        self.categories.mark_dirty(blocks.increments.item, hidden)
        changed = self.rows.apply(blocks, offset, self.owned)
        self.lists.mark_dirty(changed)
        self.unsaved[changed] = True

    def load(self, numbers: Ints, stored: Sequence[tuple[int, bytes] | None]) -> None:
        """Take rows into memory.

        Args:
            numbers: int32. Whose rows.
            stored: Of each the position and the packed row; None for a row that was never stored.

        If a row is ahead, its last changes may be unpublished. No delta will repeat them, so its
        list is marked dirty.
        """
        found = [row or (0, bytes(AS_OF_BYTES)) for row in stored]
        self.rows.load(
            numbers,
            np.array([position for position, _ in found], np.int64),
            np.array([np.frombuffer(packed, "<f8", 1)[0] for _, packed in found], np.float64),
            [packed[AS_OF_BYTES:] for _, packed in found],
        )
        self.lists.mark_dirty(numbers[self.ahead(numbers)])

    def packed(self, number: int) -> bytes:
        """Return a row as the store keeps it: newest event time, then cells."""
        return np.float64(self.rows.as_of[number]).tobytes() + self.rows.pack(number)

    def pack_rows(self, numbers: Ints) -> list[tuple[int, bytes]]:
        """Return (number, packed row) of present rows, which count as saved from here on."""
        self.unsaved[numbers] = False
        return [(number, self.packed(number)) for number in numbers.tolist()]

    def apply_norms(self, update: NormUpdate, offset: int) -> bool:
        """Take the norms of the norm update at `offset` of the log; say whether it is new."""
        if update.state_id != self.state_id or not update.follows(self.norms_seen):
            return False
        self.norms.take(update.numbers, update.values, offset)
        self.norms_taken = max(self.norms_taken, int(update.numbers.max(initial=-1)) + 1)
        self.norms_seen = update.advanced(self.norms_seen, self.norms_taken)
        return True

    def share_all(self) -> None:
        """Count every own norm as not shared yet."""
        size = len(self.counted)
        self.norms.unshared[:size] |= self.counted & (self.norms.users[:size] > 0)

    def take_unshared(self) -> tuple[list[str], NormValues]:
        """Return the own items whose norm changed since the last call, and their norms."""
        numbers = np.flatnonzero(self.norms.unshared).astype(np.int32)
        self.norms.unshared[numbers] = False
        ids = self.registry.ids
        return [ids[number] for number in numbers.tolist()], self.norms.values(numbers)

    def rank(self, numbers: Ints) -> Ranking:
        """Return the lists of present rows at the shard's position."""
        hidden = self.visibility.mask
        ranking = rank(numbers, self.rows, self.norms, self.registry, self.rule, hidden)
        return self.content.fill(numbers, ranking, self.registry, hidden)

    def ahead(self, numbers: Ints) -> Bools:
        """Say of each present row whether it was stored at a later position than the shard's.

        An earlier owner that came further stored such a row. Its cells and the norms in memory
        belong to different positions, so it has no list until this shard is at its position.
        """
        ahead: Bools = self.rows.position[numbers] > self.position
        return ahead

    @property
    def is_replaying(self) -> bool:
        """Whether any state was stored at a later position than the shard's: no list is right."""
        parts = (
            self.norms, self.popularity, self.visibility, self.categories, self.content,
        )  # fmt: skip
        return max(part.max_stored_position for part in parts) > self.position

    def alive(self) -> Ints:
        """Return the owned items, int32, that are in a history or have content neighbours."""
        alive = self.owned & (self.norms.users[: len(self.owned)] > 0)
        alive[self.content.numbers(self.registry)] = True
        return np.flatnonzero(alive).astype(np.int32)

    def outdated(self, changed: Bools, decreased: Bools) -> Ints:
        """Return the rows, int32, whose list may differ because norms changed, or is not known.

        The norm of an item changes all scores of its own list. An item whose norm rises sinks in
        every list, so only the lists that hold it can change. An item whose norm falls may enter
        every list whose row holds it.

        Args:
            changed: Bool by number. Items whose norm changed.
            decreased: Bool by number. Those of them whose norm fell.
        """
        alive = self.alive()
        outdated = changed[alive] | self.lists.holding(alive, changed)
        if decreased.any():
            outdated |= ~self.rows.present[alive]
            outdated |= self.rows.with_neighbours(alive, decreased)
        return alive[outdated]

    def shrink(self, limit_bytes: int) -> None:
        """Drop the rows that were idle longest, until the other rows fit into `limit_bytes`."""
        cells = int(self.rows.size.sum())
        excess = cells - limit_bytes // CELL.itemsize
        if excess <= 0:
            return
        clean = np.flatnonzero(self.rows.present & ~self.unsaved & ~self.lists.dirty)
        oldest = clean[np.argsort(self.rows.position[clean], kind="stable")]
        enough = int(np.searchsorted(np.cumsum(self.rows.size[oldest]), excess)) + 1
        self.rows.drop(oldest[:enough])

    def mask(self, numbers: Ints) -> Bools:
        """Return bool by number, true for `numbers`."""
        chosen = np.zeros(len(self.owned), np.bool_)
        chosen[numbers] = True
        return chosen

    def _reserve(self) -> None:
        """Make the numbers of new items valid everywhere, and decide which of them are owned."""
        if self._numbered == len(self.registry) and len(self.norms.users) <= len(self.owned) > 0:
            return
        needed = max(len(self.registry), len(self.norms.users))
        if needed > len(self.owned):
            size = max(needed, 2 * len(self.owned))
            for part in (self._items, *self.counts, self.popularity, self.visibility, self.lists):
                part.reserve(size)
        self.categories.reserve(len(self.owned))
        new = np.arange(self._numbered, len(self.registry), dtype=np.int32)
        self.owned[new] = self.registry.shards(self.count, new) == self.number
        self.counted[new] = self.registry.norm_shards(self.count, new) == self.number
        self._numbered = len(self.registry)
