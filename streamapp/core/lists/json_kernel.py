"""Writes the JSON of many lists at once, byte by byte in a kernel.

Python takes a few microseconds to build and encode a list of twenty entries, which is most of the
cost of a list for a user. Only the numbers become text outside the kernel, all in one call
(ADR-0016).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import orjson

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.lists.reason_names import CONTENT, SIMILAR, TRENDING

_TEXT_BYTES = 32
"""More bytes than a number or a separator takes."""


def _piece(text: str) -> Bytes:
    return np.frombuffer(text.encode(), np.uint8)


_BEGIN = _piece('{"id":"')
_SCORE = _piece('","score":')
_SUPPORT = _piece(',"support":')
_SIMILAR = _piece(f',"reason":"{SIMILAR}","because":"')
_TRENDING = _piece(f',"reason":"{TRENDING}"')
_CONTENT = _piece(f',"reason":"{CONTENT}"')
_HEX = _piece("0123456789abcdef")
_SHORT = np.zeros(128, np.uint8)
"""By character, the letter that follows the backslash in its short escape; 0 for none."""
for _character, _letter in zip('\b\t\n\f\r"\\', 'btnfr"\\', strict=True):
    _SHORT[ord(_character)] = ord(_letter)
_QUOTE, _BACKSLASH, _COMMA, _SPACE = ord('"'), ord("\\"), ord(","), ord(" ")
_CLOSE, _END, _ZERO = ord("]"), ord("}"), ord("0")
_U = ord("u")


class Ids(NamedTuple):
    """Ids, one behind the other.

    Attributes:
        text: uint8. All of them as UTF-8.
        ends: int64. Where each one ends; entry 0 is the start, 0.
        prefix_bytes: Bytes at the start of each that are not part of the public id.
    """

    text: Bytes
    ends: Longs
    prefix_bytes: int = 0

    @classmethod
    def of(cls, ids: Sequence[str]) -> "Ids":
        """Return `ids` in this form."""
        encoded = [one.encode() for one in ids]
        text = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(text, np.cumsum([0, *map(len, encoded)]))


class Lines(NamedTuple):
    """Lists, one line each, best first.

    Attributes:
        size: int32, shape (lines,). Entries of each line.
        item: int32, shape (lines, top_n). Item numbers.
        score: float64, shape (lines, top_n). Finite.
        about: int32, shape (lines, top_n). For lists of items the support, 0 in a line of content
            neighbours. For lists of users the item that is the reason, -1 for a trending entry.
    """

    size: Ints
    item: Ints
    score: Floats
    about: Ints


class Owners(NamedTuple):
    """The items or users of the lists, one a line.

    Attributes:
        ids: Their ids, among others.
        numbers: int64, shape (lines,). The number in `ids` of the owner of each line.
        as_of: float64, shape (lines,). Newest event time behind each list in seconds.
    """

    ids: Ids
    numbers: Longs
    as_of: Floats


def write_lists(
    version: int,
    kind: str,
    seq: int,
    owners: Owners,
    lines: Lines,
    items: Ids,
    *,
    for_users: bool,
) -> list[bytes]:
    """Return the JSON of each line; b"" for an empty line.

    Args:
        version: The version of the layout.
        kind: Of all lists.
        seq: Of all lists.
        owners: The items or users of the lists.
        lines: The entries.
        items: The ids of the items in them.
        for_users: Whether an entry has its reason, as in lists for users, or its support.

    Cost: O(bytes).
    """
    head = f'{{"v":{version},"kind":{orjson.dumps(kind).decode()},"id":"'
    present = np.arange(lines.item.shape[1]) < lines.size[:, None]
    text, ends = _write(
        _piece(head),
        *owners.ids,
        owners.numbers,
        _piece(f'","seq":{seq},"as_of":'),
        _numbers(owners.as_of),
        _piece(',"items":['),
        lines.size,
        lines.item,
        _numbers(lines.score[present]),
        lines.about,
        *items,
        for_users,
    )
    whole = text.tobytes()
    return [whole[start:end] for start, end in pairwise(ends.tolist())]


def _numbers(values: Floats) -> Bytes:
    """Return numbers as a JSON array."""
    values = np.ascontiguousarray(values)
    return np.frombuffer(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY), np.uint8)


@compiled
def _write(
    head: Bytes,
    owners: Bytes,
    owner_ends: Longs,
    owner_prefix: int,
    owner_index: Longs,
    middle: Bytes,
    times: Bytes,
    tail: Bytes,
    size: Ints,
    item: Ints,
    scores: Bytes,
    about: Ints,
    items: Bytes,
    item_ends: Longs,
    item_prefix: int,
    for_users: bool,
) -> tuple[Bytes, Longs]:
    out = np.empty(
        _most_bytes(
            head, owner_ends, owner_index, middle, tail, size, item, about, item_ends, for_users
        ),
        np.uint8,
    )
    ends = np.zeros(len(size) + 1, np.int64)
    at = 0
    time_at = score_at = 1
    for line in range(len(size)):
        if size[line]:
            at = _put(out, at, head)
            at = _id(out, at, owners, owner_ends, owner_index[line], owner_prefix)
            at = _put(out, at, middle)
            start = at
            at = _number(out, at, times, time_at)
            time_at += at - start + 1
            at = _put(out, at, tail)
        else:
            while times[time_at] != _COMMA and times[time_at] != _CLOSE:
                time_at += 1
            time_at += 1
        for entry in range(size[line]):
            at = _put(out, at, _BEGIN)
            at = _id(out, at, items, item_ends, item[line, entry], item_prefix)
            at = _put(out, at, _SCORE)
            start = at
            at = _number(out, at, scores, score_at)
            score_at += at - start + 1
            more = about[line, entry]
            if not for_users:
                at = _put(out, at, _SUPPORT)
                at = _digits(out, at, more)
                if about[line, 0] == 0:
                    at = _put(out, at, _CONTENT)
            elif more >= 0:
                at = _put(out, at, _SIMILAR)
                at = _id(out, at, items, item_ends, more, item_prefix)
                out[at] = _QUOTE
                at += 1
            else:
                at = _put(out, at, _TRENDING)
            out[at] = _END
            out[at + 1] = _COMMA
            at += 2
        if size[line]:
            out[at - 1] = _CLOSE
            out[at] = _END
            at += 1
        ends[line + 1] = at
    return out[:at], ends


@compiled
def _most_bytes(
    head: Bytes,
    owner_ends: Longs,
    owner_index: Longs,
    middle: Bytes,
    tail: Bytes,
    size: Ints,
    item: Ints,
    about: Ints,
    item_ends: Longs,
    for_users: bool,
) -> int:
    """Return the most bytes that the lists can take: six for each byte of an id."""
    fixed = len(_BEGIN) + len(_SCORE) + len(_SIMILAR) + len(_CONTENT) + len(_SUPPORT)
    most = 0
    for line in range(len(size)):
        owner = owner_index[line]
        most += len(head) + len(middle) + len(tail) + 2 * _TEXT_BYTES
        most += 6 * (owner_ends[owner + 1] - owner_ends[owner])
        for entry in range(size[line]):
            number = item[line, entry]
            most += fixed + 3 * _TEXT_BYTES + 6 * (item_ends[number + 1] - item_ends[number])
            if for_users and about[line, entry] >= 0:
                number = about[line, entry]
                most += 6 * (item_ends[number + 1] - item_ends[number])
    return most


@compiled
def _put(out: Bytes, at: int, piece: Bytes) -> int:
    # numba knows that this index is not negative, so it can vectorise the copy.
    target = out[at : at + len(piece)]
    for byte in range(len(piece)):
        target[byte] = piece[byte]
    return at + len(piece)


@compiled
def _number(out: Bytes, at: int, texts: Bytes, start: int) -> int:
    """Write the number that begins at `start` of a JSON array."""
    source, target = texts[start:], out[at:]
    size = 0
    while source[size] != _COMMA and source[size] != _CLOSE:
        target[size] = source[size]
        size += 1
    return at + size


@compiled
def _digits(out: Bytes, at: int, value: int) -> int:
    end = at + 1
    rest = value // 10
    while rest:
        end += 1
        rest //= 10
    for digit in range(end - 1, at - 1, -1):
        out[digit] = _ZERO + value % 10
        value //= 10
    return end


@compiled
def _id(out: Bytes, at: int, text: Bytes, ends: Longs, index: int, prefix: int) -> int:
    """Write an id as the content of a JSON string."""
    public = text[ends[index] + prefix : ends[index + 1]]
    target = out[at:]
    size = 0
    for byte in public:
        if byte >= _SPACE and byte not in (_QUOTE, _BACKSLASH):
            target[size] = byte
            size += 1
            continue
        target[size] = _BACKSLASH
        if _SHORT[byte]:
            target[size + 1] = _SHORT[byte]
            size += 2
            continue
        target[size + 1] = _U
        target[size + 2] = target[size + 3] = _ZERO
        target[size + 4], target[size + 5] = _HEX[byte >> 4], _HEX[byte & 15]
        size += 6
    return at + size
