"""The message that tells a shard the content neighbours of some of its items (ADR-0015)."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from streamapp.core.messages.applied_offsets import AppliedOffsets

CONTENT_KEY = b"content"
"""The key of content neighbours in the log of a shard; a delta has no key."""

CONTENT_SOURCE = "content"
"""Their source in `AppliedOffsets`."""


class ContentNeighbour(NamedTuple):
    """A product that is near another one by its text.

    Attributes:
        item: Its id.
        score: The similarity of both texts, over 0.
    """

    item: str
    score: float


class ContentNeighbours(msgspec.Struct, array_like=True, frozen=True):
    """Content neighbours, on the wire.

    Attributes:
        state_id: The id of the state that they are for; a rebuilt state ignores older messages.
        version: Rises with every computation; an item has one list in one version.
        lists: Items and their lists, best first; an empty list replaces the one before.
    """

    state_id: str
    version: int
    lists: list[tuple[str, list[ContentNeighbour]]]

    def admit(self, applied: AppliedOffsets) -> bool:
        """Say whether no later version was applied, and advance `applied` to this version."""
        if self.version < applied[CONTENT_SOURCE]:
            return False
        applied.advance(CONTENT_SOURCE, self.version)
        return True


decode_content_neighbours = msgspec.msgpack.Decoder(ContentNeighbours).decode
"""Decode a message; raises `msgspec.DecodeError` if it is none."""

unpack_list = msgspec.msgpack.Decoder(list[ContentNeighbour]).decode
"""Decode a packed list; raises `msgspec.DecodeError` if it is none."""

encode_content_neighbours = msgspec.msgpack.Encoder().encode
"""Encode a message."""


def pack_list(matches: Sequence[ContentNeighbour]) -> bytes:
    """Return a packed list; b"" for an empty one."""
    return encode_content_neighbours(matches) if matches else b""
