"""Norm updates: a shard takes norms of items of other shards from its own log.

The owner of a shard collects norms that other shards shared, and sends them to the log of its own
shard. So the norms of all items are a function of the log, and two owners rank alike (ADR-0021).
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Ints, Longs
from streamapp.core.messages.norm_values import NormValues

NORMS_KEY = b"norms"
"""The key of a norm update in the log of a shard."""

_ITEMS = 30_000
"""Most items of one update, which then has about 700 kB."""

_DTYPES = "<f8", "<i8", "<i4"


class NormUpdate(msgspec.Struct, array_like=True, frozen=True):
    """Norms of items, on the wire; arrays are little endian.

    Attributes:
        state_id: The id of the state that it is for.
        base: int64 by shard. It holds the norms that shards shared from these positions on.
        seen: int64 by shard. It holds what they shared up to these positions.
        known: How many items the receiving shard knew when the norms were looked up for it.
        is_last: Whether the shard has seen these positions with this update.
        items: int32. Numbers of the receiving shard, each once.
        columns: Of `NormValues`.
    """

    state_id: str
    base: bytes
    seen: bytes
    known: int
    is_last: bool
    items: bytes
    columns: list[bytes]

    @property
    def numbers(self) -> Ints:
        """The item numbers, int32."""
        return np.frombuffer(self.items, "<i4").copy()

    @property
    def values(self) -> NormValues:
        """The norms of the items."""
        columns = zip(self.columns, _DTYPES, strict=True)
        return NormValues(*(np.frombuffer(column, dtype).copy() for column, dtype in columns))

    def follows(self, seen: Longs) -> bool:
        """Say whether the update goes on from what a shard has seen; if not, it is for another."""
        base, target = (np.frombuffer(one, "<i8") for one in (self.base, self.seen))
        fits = len(base) == len(seen) == len(target)
        return fits and bool((base <= seen).all() and (seen <= target).all())

    def advanced(self, seen: Longs, taken: int) -> Longs:
        """Return what a shard has seen after the update.

        A new owner may look norms up for the stored state, and find earlier updates in the log
        behind it. The norm of an item that the stored state did not know is then that of the
        earlier update, and the shard has not seen what was shared since.

        Args:
            seen: int64 by shard. What it has seen so far.
            taken: The items whose norm it took have numbers below this one.
        """
        if not self.is_last or taken > self.known:
            return seen
        return np.frombuffer(self.seen, "<i8").astype(np.int64)


_encode = msgspec.msgpack.Encoder().encode

decode_norm_update = msgspec.msgpack.Decoder(NormUpdate).decode
"""Return the update in `bytes`; raises `msgspec.DecodeError` if there is none."""


def encode_norm_updates(
    state_id: str, base: Longs, seen: Longs, known: int, items: Ints, values: NormValues
) -> Iterator[bytes]:
    """Yield updates of a bounded size, at least one; the last one advances what is seen.

    Args:
        state_id: The id of the state.
        base: int64 by shard. See `NormUpdate`.
        seen: int64 by shard.
        known: See `NormUpdate`.
        items: int32. Numbers of the receiving shard.
        values: The norms.
    """
    start = 0
    while start == 0 or start < len(items):
        end = start + _ITEMS
        some = values.only(np.arange(len(items))[start:end])
        arrays: list[npt.NDArray[Any]] = list(some)
        yield _encode(
            NormUpdate(
                state_id,
                base.astype("<i8", copy=False).tobytes(),
                seen.astype("<i8", copy=False).tobytes(),
                known,
                end >= len(items),
                items[start:end].astype("<i4", copy=False).tobytes(),
                [
                    column.astype(dtype, copy=False).tobytes()
                    for column, dtype in zip(arrays, _DTYPES, strict=True)
                ],
            )
        )
        start = end


def positions_as_text(positions: Longs) -> str:
    """Return positions by shard as text."""
    return ",".join(map(str, positions.tolist()))


def positions_in(text: str, shards: int) -> Longs:
    """Return the positions by shard in a text; zeros if it is empty."""
    if not text:
        return np.zeros(shards, np.int64)
    return np.array([int(position) for position in text.split(",")], np.int64)
