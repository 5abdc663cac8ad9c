"""Reads the norms of a shard from its slot."""

import json

from streamapp.core.counts.norms import Norms
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.histories.decay import Decay
from streamapp.errors import StateError
from streamapp.store.slot.head import Head
from streamapp.store.slot.slot import Slot


async def read_norms(slot: Slot, head: Head, decay: Decay | None) -> Norms:
    """Return the norms of a shard: `DecayedNorms` where interactions fade.

    Raises:
        StateError: as for `check_half_life`.
    """
    check_half_life(head, decay)
    packed = await slot.columns.read(slot.keys.norms)
    return NormsAndRows.unpack(packed, decayed=decay is not None).norms


def check_half_life(head: Head, decay: Decay | None) -> None:
    """Check that the state of a shard was made with the half-life of the settings.

    Raises:
        StateError: it was made with another one, so that it reads otherwise.
    """
    made_under = json.loads(head.results or "{}").get("half_life", 0.0)
    half_life_s = decay.half_life_s if decay else 0.0
    if head.state_id and made_under != half_life_s:
        raise StateError(
            f"the state was made under STREAMAPP_HALF_LIFE={made_under:g}, which is "
            f"{half_life_s:g} here; set it to {made_under:g}"
        )
