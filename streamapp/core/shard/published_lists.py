"""What a shard knows of its published lists, so that it publishes a list only when it differs."""

import numpy as np

from streamapp.core.arrays.array_types import Bools, Ints, Longs
from streamapp.core.arrays.columns import Columns
from streamapp.core.lists.ranking import Ranking, holding


class PublishedLists:
    """The published lists of one shard, by number of the item.

    A list is dirty if its row changed since the list was published. It is known if the shard
    remembers what was published; after a restart no list is known.

    Args:
        top_n: Most entries of a list.
    """

    def __init__(self, top_n: int) -> None:
        self._lists = Columns(
            {"dirty": np.bool_, "known": np.bool_, "digest": np.int64,
             "item": np.dtype((np.int32, (top_n,)))}
        )  # fmt: skip

    @property
    def dirty(self) -> Bools:
        """Bool by number. Read only."""
        return self._lists["dirty"]

    @property
    def known(self) -> Bools:
        """Bool by number. Read only."""
        return self._lists["known"]

    def reserve(self, items: int) -> None:
        """Make the numbers below `items` valid; new lists are neither dirty nor known."""
        self._lists.reserve(items)

    def dirty_numbers(self) -> Ints:
        """Return the numbers of the dirty lists, int32, rising. Cost: O(items)."""
        return np.flatnonzero(self.dirty).astype(np.int32)

    def mark_dirty(self, numbers: Ints) -> None:
        """Mark lists as dirty."""
        self.dirty[numbers] = True

    def mark_clean(self, numbers: Ints) -> None:
        """Mark lists as not dirty: their published content is still right."""
        self.dirty[numbers] = False

    def invalidate(self, numbers: Ints) -> None:
        """Forget what was published, and mark the lists `numbers` as dirty."""
        self.known[:] = False
        self.mark_dirty(numbers)

    def acknowledge(self, numbers: Ints, ranking: Ranking) -> None:
        """Remember that the lines of `ranking` are the published lists of `numbers`."""
        self._lists["item"][numbers], self._lists["digest"][numbers] = ranking.item, ranking.digest
        self.known[numbers] = True
        self.mark_clean(numbers)

    def differs(self, numbers: Ints, ranking: Ranking) -> Bools:
        """Say of each line of `ranking` whether it differs from the list that is published.

        A list that is not known differs.
        """
        digest: Longs = self._lists["digest"]
        changed: Bools = ~self.known[numbers] | (digest[numbers] != ranking.digest)
        return changed

    def holding(self, numbers: Ints, items: Bools) -> Bools:
        """Say of each list whether it holds one of `items`, or is not known.

        Args:
            numbers: int32. Whose lists.
            items: Bool by number.

        Cost: O(entries).
        """
        return ~self.known[numbers] | holding(self._lists["item"][numbers], items)
