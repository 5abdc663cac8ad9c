"""What the readers of a shard's lists do not have yet, as the head of its slot stores it."""

from dataclasses import dataclass

from streamapp.core.arrays.bitmap import flagged, packed_flags
from streamapp.core.arrays.dtypes import Bools
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.slot import Head


@dataclass(frozen=True, slots=True)
class PendingLists:
    """Work that the next owner must do if this one dies.

    Attributes:
        dirty: Rows whose list changed, by number, as `packed_flags` encodes them.
        moved: Items whose norm or visibility changed and that some list does not reflect yet,
            encoded likewise.
        republish: Position from which every list is published again, as text; b"" for none.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish: bytes = b""

    @classmethod
    def of(cls, dirty: Bools, moved: Bools, republish_at: int | None) -> "PendingLists":
        """Encode what is pending; `dirty` and `moved` are bool by number."""
        republish = b"" if republish_at is None else str(republish_at).encode()
        return cls(packed_flags(dirty), packed_flags(moved), republish)

    @classmethod
    def from_head(cls, head: Head) -> "PendingLists":
        """Return what a head says is pending."""
        return cls(*(head.fields.get(name, b"") for name in ("dirty", "moved", "republish")))

    def restore(self, shard: Shard) -> None:
        """Mark on a shard that was just read what is pending."""
        shard.lists.mark_dirty(flagged(self.dirty))
        changed = flagged(self.moved)
        shard.norms.mark_changed(changed, decreased=changed)

    @property
    def republish_at(self) -> int | None:
        """Position from which every list is published again; None for none."""
        return int(self.republish) if self.republish else None
