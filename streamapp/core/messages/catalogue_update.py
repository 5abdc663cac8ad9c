"""The message that tells a shard what one partition of the catalogue changed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streamapp.core.messages.applied_offsets import AppliedOffsets

UPDATE_KEY = b"notice"
"""The key of a notice in the log of a shard; a delta has none."""

_AT_ONCE = 10_000
"""Most entries of one notice, so that the longest ids fit into a message."""


class VisibilityChange(NamedTuple):
    """What one record of a catalogue changes.

    Attributes:
        offset: Of the record, in its partition.
        item: Which item.
        hidden: Whether it is hidden from there on.
        category: Where it belongs from there on; "" for none.
    """

    offset: int
    item: str
    hidden: bool
    category: str = ""


class CatalogueUpdate(msgspec.Struct, array_like=True, frozen=True):
    """Changes of one partition of a catalogue, on the wire.

    Attributes:
        generation: Of the state that it is for; a rebuilt state ignores older notices.
        partition: Of the catalogue.
        changes: In the order of their offsets.
    """

    generation: str
    partition: int
    changes: list[VisibilityChange]

    def news(self, fences: AppliedOffsets) -> list[VisibilityChange]:
        """Return the changes that were not heard of before, and move the fence behind them."""
        source = f"c{self.partition}"
        news = [change for change in self.changes if change.offset >= fences[source]]
        if news:
            fences.advance(source, news[-1].offset + 1)
        return news


decode_update = msgspec.msgpack.Decoder(CatalogueUpdate).decode
"""Return the notice that bytes hold; raises `msgspec.DecodeError` if they hold none."""

_encode = msgspec.msgpack.Encoder().encode


def encode_updates(
    generation: str, partition: int, changes: Sequence[VisibilityChange]
) -> Iterator[bytes]:
    """Yield notices of these changes, in order, each of a bounded size."""
    for start in range(0, len(changes), _AT_ONCE):
        yield _encode(
            CatalogueUpdate(generation, partition, list(changes[start : start + _AT_ONCE]))
        )
