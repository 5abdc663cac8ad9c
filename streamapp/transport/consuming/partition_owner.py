"""The interface of the worker for its consumer."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from streamapp.transport.records import TP, Offsets


class PartitionOwner(Protocol):
    """Processes the partitions that the consumer reads."""

    async def drop(self) -> None:
        """Stop work on all partitions."""
        ...

    async def open(self, offsets: Mapping[TP, Offsets]) -> Mapping[TP, int]:
        """Take over these partitions and no others; return where to start reading each."""
        ...

    def epoch(self, tp: TP) -> int:
        """Return a number that changes whenever reading of `tp` starts again."""
        ...

    def with_capacity(self, tps: Iterable[TP]) -> set[TP]:
        """Return the partitions that can take more records."""
        ...

    def stored_position(self, tp: TP) -> int | None:
        """Return the first offset that the stored state does not hold; None if not owned."""
        ...
