"""The first sequence number of each source that is not applied yet.

A log may hold a message twice: a producer sent it again, or a worker that lost its partition woke
up. The offsets that are stored with the state tell such a copy from a new message. Sequence numbers
rise within a source, so a message below the offset of its source was applied before (ADR-0002).
"""

from collections.abc import Mapping


class AppliedOffsets:
    """Offsets by name of the source; 0 for an unknown source.

    Args:
        offsets: By source, as they were stored.
    """

    def __init__(self, offsets: Mapping[str, int] | None = None) -> None:
        self._offsets = dict(offsets or {})

    def __getitem__(self, source: str) -> int:
        return self._offsets.get(source, 0)

    def advance(self, source: str, offset: int) -> None:
        """Raise the offset of `source` to `offset`; a lower one changes nothing."""
        if offset > self[source]:
            self._offsets[source] = offset

    def as_dict(self) -> dict[str, int]:
        """Return a copy of the offsets by source."""
        return dict(self._offsets)
