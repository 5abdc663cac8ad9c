"""A shard: the rows, norms and lists of the items that one deltas partition owns.

A shard is a function of its log: after the same messages, two shards are equal, whoever ran them
and however the messages were grouped. Rows may be absent, in which case the caller loads them
before `apply` or `rank` needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamapp.core.arrays.dtypes import Bools, Ints, Longs, resized
from streamapp.core.content.neighbours import Content, Matches
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.decayed_rows import DecayedRows
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import CELL, Rows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import Ranking, Rule, holding, rank
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import CatalogueUpdate
from streamapp.core.messages.delta import Blocks, Delta
from streamapp.core.messages.item_dictionary import IdTranslator
from streamapp.core.shard.visibility import Visibility
from streamapp.core.trending.categories import Categories
from streamapp.core.trending.popularity import Popularity


@dataclass(slots=True)
class Shard:
    """One shard in memory.

    Attributes:
        number: Which shard.
        count: Of how many.
        rule: What makes a list.
        generation: Which state this is; deltas of another are not for it.
        position: First offset of the shard's log that is not applied.
        registry: Items by number.
        norms: Sums of squares and user counts of all items; `DecayedNorms` where interactions fade.
        fences: First place not applied of each interactions partition.
        popularity: How popular each item of the shard is.
        availability: Which items no list shows.
        categories: Where the items of the shard belong, and what is popular there.
        content: What lists show of which counts have nothing.
        owned: bool by number. Items whose row is here.
        dirty: bool by number. Rows that changed since their list was published.
        unsaved: bool by number. Rows that changed since they were stored.
        known: bool by number. Rows whose published list is remembered in `listed` and `digest`.
        listed: int32, shape (items, top_n). Items of the published list; -1 beyond its end.
        digest: int64 by number. Digest of the published list.
    """

    number: int
    count: int
    rule: Rule
    generation: str
    position: int
    registry: Registry
    norms: Norms
    fences: AppliedOffsets
    popularity: Popularity = field(default_factory=Popularity)
    availability: Visibility = field(default_factory=Visibility)
    categories: Categories = field(default_factory=Categories)
    content: Content = field(default_factory=Content)
    rows: Rows = field(default_factory=Rows)
    owned: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    dirty: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    unsaved: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    known: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    listed: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    digest: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    _numbered: int = 0
    _reader: IdTranslator = field(default_factory=IdTranslator)

    def __post_init__(self) -> None:
        self.listed = np.zeros((0, self.rule.top_n), np.int32)
        if isinstance(self.norms, DecayedNorms):
            self.rows = DecayedRows(self.norms)
        self._reserve()

    def admit(self, delta: Delta) -> Blocks | None:
        """Return the blocks of a delta that was not applied before, or None; learn its items."""
        ours, source = delta.generation == self.generation, str(delta.partition)
        blocks = delta.blocks(self.registry, self._reader if ours else IdTranslator())
        self._reserve()
        if not ours or delta.place < self.fences[source]:
            return None
        self.fences.advance(source, delta.place + 1)
        return blocks

    def hear(self, notice: CatalogueUpdate, offset: int) -> bool:
        """Apply the notice at `offset` of the shard's log; say whether it was not applied before.

        A hidden item leaves the lists that hold it, as if its norm had risen without end, and one
        that is shown again may enter every list whose row holds it, as if its norm had fallen.
        """
        news = notice.news(self.fences) if notice.generation == self.generation else []
        if not news:
            return False
        items = self.availability.apply(news, offset, self.registry)
        mine = self.categories.mine(news, self.number, self.count)
        self.registry.number([item for item, category in mine.items() if category])
        self._reserve()
        self.categories.apply(mine, self.registry)
        self.categories.touch(items)
        self.norms.moved[items] = True
        self.norms.fell[items[~self.availability.hidden[items]]] = True
        self.popularity.turn(items, self.registry, self.availability.mask)
        if self.content.lists:
            names = {self.registry.ids[number] for number in items.tolist()}
            self.dirty[self.content.holding(names, self.registry)] = True
        return True

    def match(self, matches: Matches, offset: int) -> bool:
        """Apply the message at `offset` of the shard's log; say whether it is not an older one."""
        if matches.generation != self.generation or not matches.admitted(self.fences):
            return False
        items = self.content.apply(matches, offset, self.registry)
        self._reserve()
        self.dirty[items] = True
        return True

    def absent(self, blocks: Sequence[Blocks]) -> Ints:
        """Return the rows that `apply` of these blocks needs and that are not here."""
        items = [items for some in blocks for items in (some.changed, some.kept)]
        needed = np.concatenate([np.zeros(0, np.int32), *items])
        return np.unique(needed[self.owned[needed] & ~self.rows.present[needed]])

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Apply the delta at `offset` of the shard's log; its rows must be present."""
        self.norms.apply(blocks, offset)
        hidden = self.availability.mask
        self.popularity.add(blocks.masses, offset, self.registry, hidden)
        self.categories.touch(blocks.masses.item, hidden)
        touched = self.rows.apply(blocks, offset, self.owned)
        self.dirty[touched] = True
        self.unsaved[touched] = True

    def load(self, numbers: Ints, stored: Sequence[tuple[int, bytes] | None]) -> None:
        """Put rows here as the store returned them: position, then what `packed` gave.

        A row that is ahead holds changes that nobody may have published, and that no delta makes
        again.
        """
        found = [row or (0, bytes(8)) for row in stored]
        self.rows.load(
            numbers,
            np.array([position for position, _ in found], np.int64),
            np.array([np.frombuffer(packed, "<f8", 1)[0] for _, packed in found], np.float64),
            [packed[8:] for _, packed in found],
        )
        self.dirty[numbers[self.ahead(numbers)]] = True

    def packed(self, number: int) -> bytes:
        """Return a row as the store keeps it: newest event time, then cells."""
        return np.float64(self.rows.as_of[number]).tobytes() + self.rows.pack(number)

    def rank(self, numbers: Ints) -> Ranking:
        """Return the lists of rows that are present, as of now."""
        hidden = self.availability.mask
        ranking = rank(numbers, self.rows, self.norms, self.registry, self.rule, hidden)
        return self.content.fill(numbers, ranking, self.registry, hidden)

    def remember(self, numbers: Ints, ranking: Ranking) -> None:
        """Note that these lists stand for their rows in the store and on the output topic."""
        self.listed[numbers], self.digest[numbers] = ranking.item, ranking.digest
        self.known[numbers] = True

    def differs(self, numbers: Ints, ranking: Ranking) -> Bools:
        """Say of each line whether it is another list than the one remembered, or none is."""
        changed: Bools = ~self.known[numbers] | (self.digest[numbers] != ranking.digest)
        return changed

    def ahead(self, numbers: Ints) -> Bools:
        """Say of each row that is present whether it was stored at a later position than this one.

        Such a row was written by an owner that came further. It has no list until this shard has
        come as far, because its cells and the norms here belong to different positions.
        """
        ahead: Bools = self.rows.position[numbers] > self.position
        return ahead

    @property
    def catches_up(self) -> bool:
        """Whether something was stored at a later position than this one: no list is right yet."""
        parts = (
            self.norms, self.popularity, self.availability, self.categories, self.content,
        )  # fmt: skip
        return max(part.furthest for part in parts) > self.position

    def alive(self) -> Ints:
        """Return the items of this shard that are in someone's history, or have neighbours."""
        alive = self.owned & (self.norms.users[: len(self.owned)] > 0)
        alive[self.content.numbers(self.registry)] = True
        return np.flatnonzero(alive).astype(np.int32)

    def outdated(self, moved: Bools, fell: Bools) -> Ints:
        """Return the rows whose list may differ because norms moved, and those not remembered.

        An item's own norm moves all scores of its list. An item whose norm rises falls in every
        list, so only the lists that hold it can change. An item whose norm falls may enter any list
        whose row holds it.
        """
        alive = self.alive()
        outdated = ~self.known[alive] | moved[alive] | holding(self.listed[alive], moved)
        if fell.any():
            outdated |= ~self.rows.present[alive]
            outdated |= self.touching(alive, fell)
        return alive[outdated]

    def touching(self, numbers: Ints, moved: Bools) -> Bools:
        """Say of each row that is present whether it holds an item that moved."""
        return self.rows.touching(numbers, moved)

    def shrink(self, limit_bytes: int) -> None:
        """Drop the rows that were idle longest, until the rest fits into `limit_bytes`."""
        cells = int(self.rows.size.sum())
        excess = cells - limit_bytes // CELL.itemsize
        if excess <= 0:
            return
        clean = np.flatnonzero(self.rows.present & ~self.unsaved & ~self.dirty)
        oldest = clean[np.argsort(self.rows.position[clean], kind="stable")]
        enough = int(np.searchsorted(np.cumsum(self.rows.size[oldest]), excess)) + 1
        self.rows.drop(oldest[:enough])

    def mask(self, numbers: Ints) -> Bools:
        """Return bool by number, true for `numbers`."""
        chosen = np.zeros(len(self.owned), np.bool_)
        chosen[numbers] = True
        return chosen

    def _reserve(self) -> None:
        """Make room for new items in every array by number, and say which of them are owned."""
        needed = max(len(self.registry), len(self.norms.users))
        if needed > len(self.owned):
            room = max(needed, 2 * len(self.owned))
            self.rows.reserve(room)
            self.norms.reserve(room)
            self.popularity.reserve(room)
            self.availability.reserve(room)
            for name in ("owned", "dirty", "unsaved", "known", "listed", "digest"):
                setattr(self, name, resized(getattr(self, name), room))
        self.categories.reserve(len(self.owned))
        new = np.arange(self._numbered, len(self.registry), dtype=np.int32)
        self.owned[new] = self.registry.shards(self.count, new) == self.number
        self._numbered = len(self.registry)
