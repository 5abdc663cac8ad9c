"""Reads which items the shards hide."""

from typing import NamedTuple

import numpy as np
from redis.asyncio import Redis

from streamapp.core.shard.visibility import VISIBILITY
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot


class HiddenItems(NamedTuple):
    """Which items shards hide.

    Attributes:
        items: Items that at least one shard hides.
        disputed: Items that one shard hides and another shard shows.
    """

    items: set[str]
    disputed: set[str]


async def read_hidden(redis: Redis, state_prefix: str, shards: int) -> HiddenItems:
    """Return the items that shards hide. Cost: the registry of each shard that hides any item."""
    by_shard = [await hidden_in(redis, state_prefix, shard) for shard in range(shards)]
    items = set[str]().union(*by_shard)
    return HiddenItems(items, items - set[str].intersection(*by_shard))


async def hidden_in(redis: Redis, state_prefix: str, shard: int) -> set[str]:
    """Return the items that a shard hides."""
    slot = Slot(redis, SlotKeys(state_prefix, rows_tag(shard)))
    stored = np.frombuffer(await slot.columns.read(slot.keys.availability), VISIBILITY)
    numbers = np.flatnonzero(stored["hidden"]).tolist()
    ids = (await slot.item_ids.registry()).ids if numbers else []
    return {ids[number] for number in numbers if number < len(ids)}
