"""What a shard knows of its published lists, so that it publishes a list only when it differs."""

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bools, Ints
from streamapp.core.arrays.columns import Columns
from streamapp.core.lists.list_changes import differing_lines
from streamapp.core.lists.ranking import Ranking, holding


class PublishedLists:
    """The published lists of one shard, by number of the item.

    A list is dirty if its row changed since the list was published. It is known if the shard
    remembers what was published; after a restart no list is known.

    Args:
        top_n: Most entries of a list.
        tolerance: A list differs if its members or their order do, or if a score has moved by more
            than this share of the published one. 0: it differs if anything in it does.

    Attributes:
        tolerance: As above.
    """

    def __init__(self, top_n: int, tolerance: float = 0.0) -> None:
        self.tolerance = tolerance
        compared: dict[str, npt.DTypeLike] = {"digest": np.int64}
        if tolerance:
            # Float64, because scores of a half-life may be too small for a float32.
            compared = {"score": np.dtype((np.float64, (top_n,))), "of_content": np.bool_}
        items = np.dtype((np.int32, (top_n,)))
        self._lists = Columns({"dirty": np.bool_, "known": np.bool_, "item": items, **compared})

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
        lists = self._lists
        lists["item"][numbers] = ranking.item
        if self.tolerance:
            lists["score"][numbers] = ranking.score
            lists["of_content"][numbers] = ranking.of_content
        else:
            lists["digest"][numbers] = ranking.digest
        self.known[numbers] = True
        self.mark_clean(numbers)

    def differs(self, numbers: Ints, ranking: Ranking) -> Bools:
        """Say of each line of `ranking` whether it differs from the list that is published.

        A list that is not known differs. So does one of content neighbours from one of counts.

        Cost: O(entries).
        """
        lists = self._lists
        differs: Bools = ~self.known[numbers]
        if self.tolerance:
            differs |= lists["of_content"][numbers] != ranking.of_content
            differs |= differing_lines(
                numbers, lists["item"], lists["score"], ranking.item, ranking.score, self.tolerance
            )
        else:
            differs |= lists["digest"][numbers] != ranking.digest
        return differs

    def holding(self, numbers: Ints, items: Bools) -> Bools:
        """Say of each list whether it holds one of `items`, or is not known.

        Args:
            numbers: int32. Whose lists.
            items: Bool by number.

        Cost: O(entries).
        """
        return ~self.known[numbers] | holding(self._lists["item"][numbers], items)
