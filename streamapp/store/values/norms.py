"""The norms of a shard, as its slot keeps them."""

import json

from streamapp.config.settings import Settings
from streamapp.core.counts.item_counts import ItemCounts
from streamapp.core.counts.norms import Norms
from streamapp.errors import StateError
from streamapp.store.slot.slot import Head, Slot


async def read_norms(slot: Slot, head: Head, settings: Settings) -> Norms:
    """Return the norms of a shard: `DecayedNorms` where interactions fade.

    Raises:
        StateError: the state was made with another half-life, so that it reads otherwise.
    """
    made_under = json.loads(head.fields.get("results", b"{}")).get("half_life", 0.0)
    if head.fields and made_under != settings.half_life:
        raise StateError(
            f"the state was made under STREAMAPP_HALF_LIFE={made_under:g}, which is "
            f"{settings.half_life:g} here; set it to {made_under:g}"
        )
    packed = await slot.packed(slot.keys.norms)
    return ItemCounts.unpack(packed, decayed=settings.decay is not None).norms
