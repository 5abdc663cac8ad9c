"""Departures: the newest events of a partition that ended a history, and who took it over.

The history of a user who is merged travels to the partition of the other user, and arrives behind
events of that user which were logged after the merge. If one of them ended the other history too,
the traveller belongs where that history went, or nowhere. So a partition remembers its newest
departures (ADR-0032).
"""

from collections import deque
from typing import NamedTuple

import msgspec

KEPT = 1_000
"""Departures that a partition remembers."""


class Departure(NamedTuple):
    """An event that ended a history.

    Attributes:
        into: The user who takes the history over; "" if it is forgotten.
        source: The partition of the event topic, as `Source.name`.
        offset: The offset of its record there.
        place: Its place among the departures of the record.
        logged_ms: The timestamp of the record; negative if it is not known.
    """

    into: str
    source: str
    offset: int
    place: int
    logged_ms: int

    def follows(self, other: "Departure") -> bool:
        """Return whether this event was logged after another one.

        Offsets decide within a partition, and the timestamps of records between two. Of equal
        times, this one is taken for the later event: a tracker sends a chain of merges at once.
        """
        if self.source == other.source:
            return (self.offset, self.place) > (other.offset, other.place)
        return self.logged_ms >= other.logged_ms >= 0


class Departures:
    """The newest departures of one partition of histories, in the order of its log.

    Args:
        stored: As `encode` returns them; None for none.

    Cost: O(`KEPT`) for each call.
    """

    def __init__(self, stored: bytes | None = None) -> None:
        self._noted: deque[tuple[str, Departure]] = deque(
            _decode(stored) if stored else (), maxlen=KEPT
        )

    def note(self, user: str, departure: Departure) -> None:
        """Remember that a user left."""
        self._noted.append((user, departure))

    def next_of(self, user: str, origin: Departure) -> Departure | None:
        """Return the first departure of a user that was logged after `origin`; None if none was."""
        return next(
            (one for name, one in self._noted if name == user and one.follows(origin)), None
        )

    def encode(self) -> bytes:
        """Return the departures as bytes."""
        return _encode(list(self._noted))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, Departure]]).decode
