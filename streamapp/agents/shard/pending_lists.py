"""What the readers of a shard's lists do not have yet, as the head of its slot stores it."""

from dataclasses import dataclass

from streamapp.core.arrays.bitmap import flagged, packed_flags
from streamapp.core.arrays.dtypes import Bools
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.head import ShardHead


@dataclass(frozen=True, slots=True)
class PendingLists:
    """Work that the next owner must do if this one dies.

    Attributes:
        dirty: Rows whose list changed, by number, as `packed_flags` encodes them.
        moved: Items whose norm or visibility changed and that some list does not reflect yet,
            encoded likewise.
        republish_at: Position from which every list is published again; None for none.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish_at: int | None = None

    @classmethod
    def of(cls, dirty: Bools, moved: Bools, republish_at: int | None) -> "PendingLists":
        """Encode what is pending; `dirty` and `moved` are bool by number."""
        return cls(packed_flags(dirty), packed_flags(moved), republish_at)

    @classmethod
    def from_head(cls, head: ShardHead) -> "PendingLists":
        """Return what a head says is pending."""
        return cls(head.dirty, head.moved, head.republish_at)

    def restore(self, shard: Shard) -> None:
        """Mark on a shard that was just read what is pending."""
        shard.lists.mark_dirty(flagged(self.dirty))
        changed = flagged(self.moved)
        shard.norms.mark_changed(changed, decreased=changed)
