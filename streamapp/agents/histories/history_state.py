"""The state of the histories stage, beside the histories."""

from dataclasses import dataclass, replace

from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import Admitted, counted_type
from streamapp.store.slot.head import HistoriesHead
from streamapp.transport.records import RecordFingerprint


@dataclass(slots=True)
class HistoryState:
    """Changes as interaction batches are admitted; the slot holds it at `head.position`.

    Attributes:
        head: Counters and metrics.
        applied: First offset of each source that was not applied.
        registry: Items by number.
    """

    head: HistoriesHead
    applied: AppliedOffsets
    registry: Registry

    def count(self, cut: Admitted) -> None:
        """Add an interaction batch to the counters."""
        head = self.head
        head.applied += cut.applied
        head.dead += cut.dead
        head.replayed += cut.replayed
        for name, count in cut.skipped.items():
            counted = counted_type(name, head.skipped)
            head.skipped[counted] = head.skipped.get(counted, 0) + count
        head.newest_ts = max(head.newest_ts, cut.newest_ts)

    def head_at(self, position: int, last: RecordFingerprint) -> HistoriesHead:
        """Return the head to store once the record `last`, just below `position`, is applied."""
        return replace(
            self.head,
            position=position,
            applied_offsets=self.applied.as_dict(),
            last_record=last.encode(),
        )
