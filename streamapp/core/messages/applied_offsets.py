"""AppliedOffsets: the first place of each source that is not yet applied.

A log may hold a message twice, when a producer sent it again or when a worker that lost its
partition woke up. The fences that travel with the state tell such a copy from news: within a
source, places rise, so what lies below the fence was applied before (ADR-0002).
"""

from collections.abc import Mapping


class AppliedOffsets:
    """AppliedOffsets by source; a source never heard of has the fence 0."""

    def __init__(self, fences: Mapping[str, int] | None = None) -> None:
        self._fences = dict(fences or {})

    def __getitem__(self, source: str) -> int:
        return self._fences.get(source, 0)

    def advance(self, source: str, place: int) -> None:
        """Raise the fence of `source` to `place`; a lower place leaves it where it is."""
        if place > self[source]:
            self._fences[source] = place

    def as_dict(self) -> dict[str, int]:
        """Return a copy of the fences by source."""
        return dict(self._fences)
