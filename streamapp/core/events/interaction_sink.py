"""The interface that receives the interactions of events."""

from typing import Protocol

NOBODY = ""
"""The user of an interaction that counts for popularity alone: no user has this id."""


class InteractionSink(Protocol):
    """Takes interactions, such as `InteractionBatchBuilder` does."""

    def add(self, offset: int, user: str, item: str, event_type: str, ts: float) -> None:
        """Take an interaction; `event_type` is its canonical type.

        Where `user` is `NOBODY`, it counts for popularity alone.
        """

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Take an event of an unknown type."""
