"""Content neighbours of the items of a shard: what a list shows while counts have nothing.

They come to a shard through its own log, as notices do, so what it holds at a position is a
function of the log. Of an item, the last message counts (ADR-0015).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays.digest import digest_of
from streamapp.core.arrays.dtypes import Bools, Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import Ranking
from streamapp.core.messages.applied_offsets import AppliedOffsets

CONTENT_KEY = b"content"
"""The key of content neighbours in the log of a shard; a delta has none."""

SOURCE = "content"
"""Their source, as fences call it."""


class Match(NamedTuple):
    """A product that is near another one by its text.

    Attributes:
        item: Its id.
        score: How near, float64, over 0.
    """

    item: str
    score: float


class Matches(msgspec.Struct, array_like=True, frozen=True):
    """Content neighbours, on the wire.

    Attributes:
        generation: Of the state that they are for; a rebuilt state ignores older ones.
        version: Rises with every computation; of one version an item has one list.
        lists: Items and their lists, best first; an empty one says that there is none any more.
    """

    generation: str
    version: int
    lists: list[tuple[str, list[Match]]]

    def admit(self, fences: AppliedOffsets) -> bool:
        """Say whether this is not older than what was heard before, and move the fence to it."""
        if self.version < fences[SOURCE]:
            return False
        fences.advance(SOURCE, self.version)
        return True


decode_matches = msgspec.msgpack.Decoder(Matches).decode
"""Return the message that bytes hold; raises `msgspec.DecodeError` if they hold none."""

decode_list = msgspec.msgpack.Decoder(list[Match]).decode
"""Return a list that is packed; raises `msgspec.DecodeError` if it is none."""

encode_matches = msgspec.msgpack.Encoder().encode
"""Return a message as it is sent."""


def encode_list(matches: Sequence[Match]) -> bytes:
    """Return a list, packed; b"" of an empty one."""
    return encode_matches(matches) if matches else b""


@dataclass(slots=True)
class Content:
    """The content neighbours of the items of one shard.

    Attributes:
        lists: By item id, packed; no item has an empty one.
        max_stored_position: Position at which the store was last written. It may be ahead of what
            is applied.
        unsaved: Lists that changed since `packed_changes`; b"" of one that is gone.
    """

    lists: dict[str, bytes] = field(default_factory=dict)
    max_stored_position: int = 0
    unsaved: dict[str, bytes] = field(default_factory=dict)

    def apply(self, matches: Matches, offset: int, registry: Registry) -> Ints:
        """Apply the message at `offset`; return the items whose list may differ by it.

        Args:
            matches: The message.
            offset: Of the shard's log.
            registry: Learns the items.

        Returns:
            Item numbers, int32. Whoever stored further than `offset` may have died before the lists
            were made, so all that such a message names are among them.
        """
        concerned: list[str] = []
        for item, some in matches.lists:
            # Numbers are a function of the log, whatever is stored ahead.
            registry.number([item, *(match.item for match in some)])
            packed = encode_list(some)
            if offset < self.max_stored_position or self.lists.get(item, b"") != packed:
                self.unsaved[item] = packed
                concerned.append(item)
            if packed:
                self.lists[item] = packed
            else:
                self.lists.pop(item, None)
        return registry.number(concerned)

    def numbers(self, registry: Registry) -> Ints:
        """Return the items that have content neighbours, as far as they have a number; int32."""
        found = np.array([registry.find(item) for item in self.lists], np.int32)
        return found[found >= 0]

    def holding(self, items: Collection[str], registry: Registry) -> Ints:
        """Return the items whose content neighbours any of `items` is; int32.

        Cost: O(entries of all lists).
        """
        holders = [
            item
            for item, packed in self.lists.items()
            if any(match.item in items for match in decode_list(packed))
        ]
        found = np.array([registry.find(item) for item in holders], np.int32)
        return found[found >= 0]

    def fill(self, numbers: Ints, ranking: Ranking, registry: Registry, hidden: Bools) -> Ranking:
        """Return `ranking`, whose empty lines become the content neighbours of their items.

        Args:
            numbers: Whose lines they are.
            ranking: Of counts; it is changed. Its other lines stay as they are.
            registry: The items' ids.
            hidden: bool by number. Items that no list shows; empty where there are none.

        Returns:
            The support of what comes from content is 0, which no entry of counts has.
        """
        if not self.lists:
            return ranking
        for line in np.flatnonzero(ranking.size == 0).tolist():
            packed = self.lists.get(registry.ids[numbers[line]])
            if packed is None:
                continue
            known = [(registry.find(item), score) for item, score in decode_list(packed)]
            shown = [one for one in known if not (len(hidden) and hidden[one[0]])]
            for place, one in enumerate(shown[: ranking.item.shape[1]]):
                ranking.item[line, place], ranking.score[line, place] = one
                ranking.size[line] = place + 1
            end = ranking.size[line]
            ranking.digest[line] = digest_of(
                ranking.item[line, :end], ranking.score[line, :end], ranking.support[line, :end]
            )
        return ranking

    def packed_changes(self) -> list[tuple[str, bytes]]:
        """Return (item id, packed list) of all that changed, and forget which did."""
        changed, self.unsaved = list(self.unsaved.items()), {}
        return changed
