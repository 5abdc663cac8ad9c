"""The interface that receives the interactions of events."""

from typing import Protocol

from streamapp.core.histories.event_types import NO_ORDER

NOBODY = ""
"""The user of an interaction that counts for popularity alone: no user has this id."""

NO_ITEM = ""
"""The item of an event that names none, such as the refund of a whole order: no item has this id.
"""


class InteractionSink(Protocol):
    """Takes interactions, such as `InteractionBatchBuilder` does."""

    def add(
        self,
        offset: int,
        user: str,
        item: str,
        event_type: str,
        ts: float,
        order: float = NO_ORDER,
    ) -> None:
        """Take an interaction; `event_type` is its canonical type, `order` the number of its order.

        Where `user` is `NOBODY`, it counts for popularity alone.
        """

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends the history of a user.

        Args:
            offset: Of its record.
            user: The user.
            into: The user who takes the history over; `NOBODY` if it is forgotten.
            logged_ms: The timestamp of its record.
        """

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Take an event of an unknown type."""
