"""The lists of a shard that readers do not have yet, as the head of its slot stores them."""

from dataclasses import dataclass

from streamapp.core.arrays.array_types import Bools
from streamapp.core.arrays.flag_codec import pack_flags, unpack_flags
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.head import ShardHead


@dataclass(frozen=True, slots=True)
class PendingLists:
    """Work that the next owner must do if this one dies.

    Attributes:
        dirty: Rows whose list changed, by number, as `pack_flags` encodes them.
        moved: Items whose norm or visibility changed and that some list does not reflect yet,
            encoded in the same way.
        republish_at: Position from which every list is published again; None for none.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish_at: int | None = None

    @classmethod
    def of(cls, dirty: Bools, moved: Bools, republish_at: int | None) -> "PendingLists":
        """Encode the pending lists; `dirty` and `moved` are bool by number."""
        return cls(pack_flags(dirty), pack_flags(moved), republish_at)

    @classmethod
    def from_head(cls, head: ShardHead) -> "PendingLists":
        """Return the pending lists of a head."""
        return cls(head.dirty, head.moved, head.republish_at)

    def restore(self, shard: Shard) -> None:
        """Mark the pending lists on a shard that was just read."""
        shard.lists.mark_dirty(unpack_flags(self.dirty))
        changed = unpack_flags(self.moved)
        shard.norms.mark_changed(changed, decreased=changed)
