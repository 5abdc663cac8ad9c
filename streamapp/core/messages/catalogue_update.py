"""The message that tells a shard which records of one catalogue partition changed something."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streamapp.core.messages.applied_offsets import AppliedOffsets

UPDATE_KEY = b"notice"
"""The key of a catalogue update in the log of a shard; a delta has no key."""

_CHANGES_PER_UPDATE = 10_000
"""Most changes of one update, so that the longest ids fit into a message."""


class VisibilityChange(NamedTuple):
    """What one record of the catalogue changes.

    Attributes:
        offset: Of the record in its partition.
        item: The item's id.
        hidden: Whether the item is hidden from there on.
        category: The item's category from there on; "" for none.
    """

    offset: int
    item: str
    hidden: bool
    category: str = ""


class CatalogueUpdate(msgspec.Struct, array_like=True, frozen=True):
    """Changes of one partition of the catalogue, on the wire.

    Attributes:
        state_id: The id of the state that it is for; a rebuilt state ignores older updates.
        partition: Of the catalogue.
        changes: In the order of their offsets.
    """

    state_id: str
    partition: int
    changes: list[VisibilityChange]

    def new_changes(self, applied: AppliedOffsets) -> list[VisibilityChange]:
        """Return the changes that were not applied before, and advance `applied` behind them."""
        source = f"c{self.partition}"
        changes = [change for change in self.changes if change.offset >= applied[source]]
        if changes:
            applied.advance(source, changes[-1].offset + 1)
        return changes


decode_update = msgspec.msgpack.Decoder(CatalogueUpdate).decode
"""Return the update in `bytes`; raises `msgspec.DecodeError` if there is none."""

_encode = msgspec.msgpack.Encoder().encode


def encode_updates(
    state_id: str, partition: int, changes: Sequence[VisibilityChange]
) -> Iterator[bytes]:
    """Yield updates with these changes, in order, each of a bounded size."""
    for start in range(0, len(changes), _CHANGES_PER_UPDATE):
        some = list(changes[start : start + _CHANGES_PER_UPDATE])
        yield _encode(CatalogueUpdate(state_id, partition, some))
