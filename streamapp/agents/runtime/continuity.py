"""OffsetContinuity: whether what is read follows what was applied, without a record missing.

Offsets may be missing where a tracker used transactions or a topic was compacted. A broker may also
show a record before the one ahead of it, when several producers write at once: the embedded one
does. So a gap is read again, a few times, before it is believed.
"""

from collections.abc import Awaitable, Callable, Sequence

from streamapp.agents.runtime.stage import Stage
from streamapp.errors import GapError, StateError
from streamapp.transport.records import TP, RecordBatch

_MAX_REREADS = 4
"""A gap that is there so many times is no matter of timing."""


class OffsetContinuity:
    """Looks at the record batches of one lane.

    Args:
        stage: Says what was applied, and whether its log may have gaps.
        beginning: Asks Kafka for the first offset of a partition.
    """

    def __init__(self, stage: Stage, beginning: Callable[[TP], Awaitable[int]]) -> None:
        self._stage = stage
        self._beginning = beginning
        self._seen: dict[TP, tuple[int, int]] = {}
        self._has_gaps: set[TP] = set()

    async def check(self, batches: Sequence[RecordBatch]) -> None:
        """Look whether the batches go on where the stage is.

        A partition that was found to have gaps of its own is believed from then on: a broker that
        shows records out of order has no transactions, and does not compact.

        Raises:
            GapError: a record is missing; to be read again.
            StateError: records came again that were applied, or records are lost.
        """
        expected: dict[TP, int] = {}
        for batch in batches:
            at = expected.get(batch.tp, self._stage.position(batch.tp))
            first = batch.records[0].offset
            if first < at:
                raise StateError(
                    f"{_name(batch.tp)} went back from offset {at} to {first}: was the topic made "
                    "anew? Use another GROUP_ID and STATE_PREFIX to start anew"
                )
            if first > at and (await self._beginning(batch.tp)) > at:
                raise StateError(
                    f"{_name(batch.tp)} no longer holds the records from offset {at} to {first}: "
                    "they were dropped before they were read, so counts cannot be exact"
                )
            if batch.end - at > len(batch.records) and batch.tp not in self._has_gaps:
                self._look(batch, at)
            expected[batch.tp] = batch.end

    def _look(self, batch: RecordBatch, at: int) -> None:
        """Believe a gap that was seen often enough; else ask for it to be read again."""
        tp = batch.tp
        for record in batch.records:
            if record.offset != at:
                break
            at += 1
        missing, looks = self._seen.get(tp, (at, 0))
        self._seen[tp] = at, looks + 1 if missing == at else 1
        if self._seen[tp][1] < _MAX_REREADS:
            raise GapError(f"{_name(tp)} was read from offset {record.offset} on instead of {at}")
        if self._stage.contiguous:
            raise StateError(
                f"{_name(tp)} was read {_MAX_REREADS} times from offset {record.offset} on instead "
                f"of {at}, and only this app writes there: counts cannot be exact without what is "
                "missing; count again from the first event with `streamapp rebuild`"
            )
        self._has_gaps.add(tp)


def _name(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"
