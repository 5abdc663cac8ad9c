"""What the stage of histories knows about its slot."""

from dataclasses import dataclass

from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import SKIPPED, Admitted, skipped_field
from streamapp.store.slot.slot import Head
from streamapp.transport.records import RecordFingerprint

_COUNTED = {"applied", "dead", "replayed"}


@dataclass(slots=True)
class HistoryState:
    """Everything but the histories; the slot holds it at the position of the head.

    Attributes:
        applied: First offset of each source that was not applied.
        registry: Items by number.
        counters: Counters of the head by name.
        newest_ts: Newest event time in seconds; -inf without any.
        metrics: How good the published lists were.
    """

    applied: AppliedOffsets
    registry: Registry
    counters: dict[str, int]
    newest_ts: float
    metrics: OnlineMetrics

    @classmethod
    def of(cls, head: Head, registry: Registry) -> "HistoryState":
        """Return what a head says; `registry` holds the items of the slot."""
        counters = {
            name: int(value)
            for name, value in head.fields.items()
            if name in _COUNTED or name.startswith(SKIPPED)
        }
        newest_ts = float(head.fields.get("newest_ts", "-inf"))
        metrics = OnlineMetrics.read(head.fields)
        return cls(AppliedOffsets(head.fences), registry, counters, newest_ts, metrics)

    def count(self, news: Admitted) -> None:
        """Add what an interaction batch held to the counters."""
        found = {"applied": news.applied, "dead": news.dead, "replayed": news.replayed}
        for name, count in found.items():
            self.counters[name] = self.counters.get(name, 0) + count
        for name, count in news.skipped.items():
            field = skipped_field(name, self.counters)
            self.counters[field] = self.counters.get(field, 0) + count
        self.newest_ts = max(self.newest_ts, news.newest_ts)

    def head(self, position: int, last: RecordFingerprint) -> Head:
        """Return the head to store when the record `last`, just below `position`, is applied."""
        fields = {name: str(count).encode() for name, count in self.counters.items()}
        fields["mark"] = last.encode()
        fields["newest_ts"] = repr(self.newest_ts).encode()
        return Head(position, self.applied.as_dict(), fields | self.metrics.stored())
