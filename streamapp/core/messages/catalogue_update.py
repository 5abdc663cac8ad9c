"""The message that tells a shard which records of one catalogue partition changed something."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.message_size import PART_BYTES

UPDATE_KEY = b"notice"
"""The key of a catalogue update in the log of a shard; a delta has no key."""

_CHANGE_BYTES = 32
"""Most bytes of a change beside its two texts."""

_BYTES_PER_CHARACTER = 4


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
    some: list[VisibilityChange] = []
    size = 0
    for change in changes:
        # Of a text in ASCII this is four times the truth; the updates are only smaller then.
        added = _CHANGE_BYTES + _BYTES_PER_CHARACTER * (len(change.item) + len(change.category))
        if some and size + added > PART_BYTES:
            yield _encode(CatalogueUpdate(state_id, partition, some))
            some, size = [], 0
        some.append(change)
        size += added
    if some:
        yield _encode(CatalogueUpdate(state_id, partition, some))
