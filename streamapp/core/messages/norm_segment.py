"""Segments of a norm feed: how a shard shares the norms of its items (ADR-0021).

A feed is a run of segments. Each has its size in front, so that they can be told apart.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Longs
from streamapp.core.messages.norm_values import NormValues

_ITEMS = 2_000
"""Most items of a segment: with the longest ids, it has about a megabyte."""

_SIZE = struct.Struct("<I")

_DTYPES = "<f8", "<i8", "<i4"


class NormSegment(NamedTuple):
    """Norms that a shard shares.

    Attributes:
        ids: The items, each once.
        positions: int64. Of each norm in the shard's log.
        values: The norms.
    """

    ids: Sequence[str]
    positions: Longs
    values: NormValues


class _Segment(msgspec.Struct, array_like=True, frozen=True):
    """A segment as it is stored; columns are little endian."""

    ids: list[str]
    positions: bytes
    values: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Segment).decode


def encode_segments(shared: NormSegment) -> list[bytes]:
    """Return norms as segments of a bounded size, in order."""
    segments = []
    for start in range(0, len(shared.ids), _ITEMS):
        span = slice(start, start + _ITEMS)
        columns = [
            column[span].astype(dtype, copy=False).tobytes()
            for column, dtype in zip(_columns(shared.values), _DTYPES, strict=True)
        ]
        positions = shared.positions[span].astype("<i8", copy=False).tobytes()
        segment = _encode(_Segment(list(shared.ids[span]), positions, columns))
        segments.append(_SIZE.pack(len(segment)) + segment)
    return segments


def _columns(values: NormValues) -> tuple[npt.NDArray[Any], ...]:
    return tuple(values)


def decode_segments(feed: bytes) -> Iterator[NormSegment]:
    """Yield the segments of a part of a feed; it begins and ends between two of them.

    Raises:
        msgspec.DecodeError: it holds something else.
    """
    at = 0
    while at < len(feed):
        (size,) = _SIZE.unpack_from(feed, at)
        segment = _decode(feed[at + _SIZE.size : at + _SIZE.size + size])
        values = [
            np.frombuffer(column, dtype)
            for column, dtype in zip(segment.values, _DTYPES, strict=True)
        ]
        positions = np.frombuffer(segment.positions, "<i8")
        yield NormSegment(segment.ids, positions, NormValues(*values))
        at += _SIZE.size + size
