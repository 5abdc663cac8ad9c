"""Reads the version of the lists that user lists are made from, for all sweeps of a worker."""

from collections.abc import Sequence
from operator import ge
from typing import NamedTuple

from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.agents.polling.shared_read import SharedRead
from streamapp.core.list_kinds import TRENDING
from streamapp.store.input_versions import positions_of, published_text
from streamapp.store.lists import Lists
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag

_GATHER_S = 0.01
"""Seconds that a read waits for more sweeps."""


class ListVersion(NamedTuple):
    """The state of item lists and of the trending list.

    Attributes:
        text: Names it: any change changes it.
        update_offsets: The offset below which the lists of each shard reflect catalogue updates;
            empty while the trending lists do not reflect them yet.
    """

    text: str
    update_offsets: Sequence[int]


class ListVersions:
    """The versions of the lists of one pipeline.

    Args:
        heads: The heads of its shards.
        lists: The lists that frontends read.
        state_prefix: Prefix of its state.
    """

    def __init__(self, heads: ShardHeads, lists: Lists, state_prefix: str) -> None:
        self._heads = heads
        self._lists = lists
        self._state_prefix = state_prefix
        self._shards = 0
        self._version = SharedRead(self._read, _GATHER_S)

    async def read(self, shards: int) -> ListVersion:
        """Return the version of the lists at some moment after this call.

        Args:
            shards: How many shards publish item lists.

        Raises:
            StreamappError: Redis refuses, or holds something else.
        """
        self._shards = shards
        return await self._version.get()

    async def _read(self) -> ListVersion:
        keys = [SlotKeys(self._state_prefix, rows_tag(shard)).head for shard in range(self._shards)]
        fields = "published", "listed_update_offset", "trending_version"
        heads = await self._heads.read(keys, *fields)
        (trending,) = await self._lists.get_many(TRENDING, [""])
        return ListVersion(published_text(heads, trending), _update_offsets(heads))


def _update_offsets(heads: Sequence[ShardHead | None]) -> list[int]:
    offsets = [head.listed_update_offset if head else 0 for head in heads]
    merged = positions_of(heads[0].trending_version if heads[0] else "")
    known = len(merged) == len(offsets) and all(map(ge, merged, offsets))
    return offsets if known else []
