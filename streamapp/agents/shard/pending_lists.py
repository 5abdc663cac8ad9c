"""The lists of a shard that readers do not have yet, as the head of its slot stores them."""

from dataclasses import dataclass

from streamapp.core.arrays.bitmap import flagged, packed_flags
from streamapp.core.arrays.dtypes import Bools, Longs
from streamapp.core.shard.foreign_norms import seen_text
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.head import ShardHead


@dataclass(frozen=True, slots=True)
class PendingLists:
    """Work that the next owner must do if this one dies.

    Attributes:
        dirty: Rows whose list changed, by number, as `packed_flags` encodes them.
        moved: Items whose norm or visibility changed and that some list does not reflect yet,
            encoded in the same way.
        republish_at: Position from which every list is published again; None for none.
        norms_seen: Positions up to which the lists reflect the norms that other shards shared,
            but for `moved`; as `seen_text` encodes them.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish_at: int | None = None
    norms_seen: str = ""

    @classmethod
    def of(
        cls, dirty: Bools, moved: Bools, republish_at: int | None, norms_seen: Longs
    ) -> "PendingLists":
        """Encode the pending lists; `dirty` and `moved` are bool by number."""
        return cls(packed_flags(dirty), packed_flags(moved), republish_at, seen_text(norms_seen))

    @classmethod
    def from_head(cls, head: ShardHead) -> "PendingLists":
        """Return the pending lists of a head."""
        return cls(head.dirty, head.moved, head.republish_at, head.norms_seen)

    def restore(self, shard: Shard) -> None:
        """Mark the pending lists on a shard that was just read."""
        shard.lists.mark_dirty(flagged(self.dirty))
        changed = flagged(self.moved)
        shard.norms.mark_changed(changed, decreased=changed)
