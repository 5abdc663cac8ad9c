"""The content neighbours that a shard holds, for lists that have no entry from counts.

They come to a shard through its own log, so they are a function of the log. The last message with
an item counts (ADR-0015).
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from streamapp.core.arrays.array_types import Bools, Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.list_digest import list_digest
from streamapp.core.lists.ranking import Ranking
from streamapp.core.messages.content_neighbours import ContentNeighbours, pack_list, unpack_list


@dataclass(slots=True)
class ShardContentLists:
    """The content neighbours of the items of one shard.

    Attributes:
        lists: Packed lists by item id; no list is empty.
        max_stored_position: Position at which the lists were last stored. It may be ahead of what
            is applied.
        unsaved: Lists that changed since `packed_changes`; b"" for a list that was removed.
    """

    lists: dict[str, bytes] = field(default_factory=dict)
    max_stored_position: int = 0
    unsaved: dict[str, bytes] = field(default_factory=dict)

    def apply(self, matches: ContentNeighbours, offset: int, registry: Registry) -> Ints:
        """Apply the message at `offset`; return the items whose list may differ.

        Args:
            matches: The message.
            offset: Of the message in the shard's log.
            registry: Learns the items.

        Returns:
            int32: item numbers. Where lists were stored ahead, all items of the message are among
            them, because the owner that stored them may have died before it published the lists.
        """
        concerned: list[str] = []
        for item, some in matches.lists:
            # Numbers are a function of the log, also where lists were stored ahead.
            registry.number([item, *(match.item for match in some)])
            packed = pack_list(some)
            if offset < self.max_stored_position or self.lists.get(item, b"") != packed:
                self.unsaved[item] = packed
                concerned.append(item)
            if packed:
                self.lists[item] = packed
            else:
                self.lists.pop(item, None)
        return registry.number(concerned)

    def numbers(self, registry: Registry) -> Ints:
        """Return the items that have a number and content neighbours, int32."""
        found = np.array([registry.find(item) for item in self.lists], np.int32)
        return found[found >= 0]

    def holding(self, items: Collection[str], registry: Registry) -> Ints:
        """Return the items that have any of `items` as a content neighbour, int32.

        Cost: O(entries of all lists).
        """
        holders = [
            item
            for item, packed in self.lists.items()
            if any(match.item in items for match in unpack_list(packed))
        ]
        found = np.array([registry.find(item) for item in holders], np.int32)
        return found[found >= 0]

    def fill(self, numbers: Ints, ranking: Ranking, registry: Registry, hidden: Bools) -> Ranking:
        """Fill the empty lines of a ranking with the content neighbours of their items.

        Args:
            numbers: int32. The items of the lines.
            ranking: Of counts. Its arrays are changed; lines with entries stay as they are.
            registry: The items' ids.
            hidden: Bool by number. Items that no list shows; empty where there are none.

        Returns:
            `ranking`. The support of a content neighbour is 0, which no entry from counts has.

        Cost: O(lines + entries of the empty lines).
        """
        if not self.lists:
            return ranking
        for line in np.flatnonzero(ranking.size == 0).tolist():
            packed = self.lists.get(registry.ids[numbers[line]])
            if packed is None:
                continue
            known = [(registry.find(item), score) for item, score in unpack_list(packed)]
            shown = [one for one in known if not (len(hidden) and hidden[one[0]])]
            for rank, one in enumerate(shown[: ranking.item.shape[1]]):
                ranking.item[line, rank], ranking.score[line, rank] = one
                ranking.size[line] = rank + 1
            end = ranking.size[line]
            ranking.digest[line] = list_digest(
                ranking.item[line, :end], ranking.score[line, :end], ranking.support[line, :end]
            )
        return ranking

    def packed_changes(self) -> list[tuple[str, bytes]]:
        """Return (item id, packed list) of each list that changed since the last call."""
        changed, self.unsaved = list(self.unsaved.items()), {}
        return changed
