"""What a lane asks of a stage."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


class Stage(Protocol):
    """One step of the flow for some partitions.

    A lane calls one method at a time. An exception other than `FenceMovedError` ends the process
    without acknowledging anything, so a stage may leave its memory in any state when it raises.

    Attributes:
        contiguous: Whether the offsets of its log have no gaps: only this app writes to it.
    """

    contiguous: bool

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read the stored state anew; return the position of each partition.

        Args:
            offsets: What Kafka says of each partition.
            doubt: Whether Redis may have lost writes, lists included.

        Raises:
            StateError: state and topic do not fit each other.
        """
        ...

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply record batches, in order.

        Raises:
            FenceMovedError: the stored state is not where this stage left it.
        """
        ...

    async def work(self, busy: bool) -> float:
        """Do what time asks for; return the seconds until there is more of it.

        Args:
            busy: Whether record batches are waiting.
        """
        ...

    async def verify(self) -> None:
        """Look whether the stored state is where this stage left it, when nothing else does.

        Raises:
            FenceMovedError: it is not; Redis went back in time, or there is another owner.
        """
        ...

    async def finish(self) -> None:
        """Bring everything that was applied to the store and to its readers, at once."""
        ...

    async def close(self) -> None:
        """End at once what goes on beside the lane; another owner may open what this one had."""
        ...

    def position(self, tp: TP) -> int:
        """Return the first offset of `tp` that is not applied, stored or not."""
        ...

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return the last record of `tp` that the stored state holds, as of `open`."""
        ...

    def fence(self, tp: TP) -> int:
        """Return the first offset of `tp` that the stored state does not hold."""
        ...
