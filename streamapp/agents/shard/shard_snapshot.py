"""The values of a shard that a checkpoint stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.core.arrays.array_types import Ints
from streamapp.core.trending.categories import CategoryTop
from streamapp.store.slot.head import ShardHead


@dataclass(frozen=True, slots=True)
class ShardSnapshot:
    """Everything but the rows, as it is at `head.position`.

    Attributes:
        head: The head after the checkpoint.
        pending: The lists that readers do not have yet at that position.
        rows: int32. Numbers of the rows that changed; the rows themselves stay with the shard.
        tops: The tops of new categories, and of those in which something changed.
        records: Packed records that changed, by key.
        content: Content neighbours that changed.
        items: Ids of items that the slot lacks.
    """

    head: ShardHead
    pending: PendingLists
    rows: Ints
    tops: tuple[list[CategoryTop], list[CategoryTop]]
    records: Mapping[str, list[tuple[int, bytes]]]
    content: list[tuple[str, bytes]]
    items: Sequence[str]
