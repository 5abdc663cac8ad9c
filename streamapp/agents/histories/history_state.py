"""The state of the histories stage, beside the histories."""

from dataclasses import dataclass, field, replace

from streamapp.core.histories.departures import Departures
from streamapp.core.histories.history import Interactions
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
        departures: The newest events that ended a history of the partition.
    """

    head: HistoriesHead
    applied: AppliedOffsets
    registry: Registry
    departures: Departures = field(init=False)
    _departed: bool = False

    def __post_init__(self) -> None:
        """Read the departures."""
        self.departures = Departures(self.head.departures)

    def follow(self, cut: Admitted) -> Admitted:
        """Remember who leaves in an interaction batch, and return what is to be done with it.

        A history that travels to a user who left later goes on to where that user went.
        """
        for user, _, departure in cut.leaving:
            self.departures.note(user, departure)
            self._departed = True
        if cut.origin is None or not cut.users:
            return cut
        later = self.departures.next_of(cut.users[0], cut.origin)
        if later is None:
            return cut
        if later.into:
            return replace(cut, onward=later)
        return replace(cut, users=[], interactions=Interactions.forgetting(0))

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
        departed, self._departed = self._departed, False
        return replace(
            self.head,
            position=position,
            applied_offsets=self.applied.as_dict(),
            last_record=last.encode(),
            departures=self.departures.encode() if departed else None,
        )
