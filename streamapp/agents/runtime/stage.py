"""The interface of a stage for its partition task."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, RecordBatch, RecordFingerprint


class Stage(Protocol):
    """One step of the flow for the partitions of one partition task.

    A stage is made by reading the stored state. When the state must be read again, the stage is
    closed and thrown away, and another one is made.

    The partition task calls one method at a time. Any exception but `PositionMovedError` ends the
    process before anything is acknowledged, so a stage that raises may be left in any condition.

    Attributes:
        contiguous: Whether the offsets of its log have no gaps, because only this app writes there.
    """

    contiguous: bool

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots whose positions this stage moves."""
        ...

    def connect(self, wake: Callable[[], None]) -> None:
        """Take in how to let the task call `work` at once, because background work has ended."""
        ...

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply record batches, in order.

        Raises:
            PositionMovedError: the stored position is not where this stage left it.
        """
        ...

    async def work(self, busy: bool) -> float:
        """Do the work that is due; return the seconds until more is due.

        Args:
            busy: Whether record batches are waiting.

        Raises:
            PositionMovedError: as for `apply`.
        """
        ...

    async def finish(self, until: float = math.inf) -> None:
        """Store everything that was applied, and publish the lists that follow, at once.

        Args:
            until: Monotonic time in seconds. The stage leaves the rest to the next owner then.
        """
        ...

    async def close(self) -> None:
        """Cancel the background work, so that another owner may open the same partitions."""
        ...

    async def drain(self) -> None:
        """Wait until the broker has every list that was sent; they cannot be called back."""
        ...

    def position(self, tp: TP) -> int:
        """Return the first offset of `tp` that is not applied, stored or not."""
        ...

    def stored_position(self, tp: TP) -> int:
        """Return the first offset of `tp` that the stored state does not hold."""
        ...

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the last record of `tp` in the state that this stage was made from."""
        ...
