"""Marks: a stored history says which types of events each item has seen, and when.

A mark is an item, the number of an event type and the newest time of such an event. A purchase with
an order is followed by a mark of the type `ORDER_CODE`, whose value is the number of the order. The
marks of an item are consecutive. Marks of hidden items come last. Ratings follow from the marks
that are left, so an event that takes another one back removes a mark (ADR-0022).

A history is four bytes that begin no history of an older version, and then its marks.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.columns import column
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.event_types import HIDDEN_CODE, ORDER_CODE
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.older_entries import marks_of, newest_entry_ts
from streamapp.core.ids.registry import Registry

MARK = np.dtype([("item", "<i4"), ("type", "u1"), ("value", "<f8")])
"""One mark of a stored history, 13 bytes."""

HEADER = b"\xff\xff\xff\xff"
"""An older history begins with the number of an item, which is not negative."""

_ORDER_BYTES = 8
_ORDER_SPARE_BITS = 11


def order_number(order: str) -> float:
    """Return the number of an order, a whole float64 over 0.

    It is a digest of 53 bits: two orders of one user share a number once in 10 ** 15 pairs.
    """
    digest = hashlib.blake2b(order.encode(), digest_size=_ORDER_BYTES).digest()
    return float((int.from_bytes(digest, "little") >> _ORDER_SPARE_BITS) or 1)


def unpacked(
    histories: Sequence[bytes], rule: HistoryRule, registry: Registry
) -> tuple[Longs, Ints, Bytes, Floats]:
    """Return the marks of histories.

    Args:
        histories: As they are stored, perhaps by an older version; b"" for none.
        rule: Of the types that they have seen.
        registry: The items' ids.

    Returns:
        Where the marks of each history start, int64, shape (histories + 1,); then the columns of
        `MARK`: items, int32; types, uint8; values, float64.

    Cost: O(marks).
    """
    size = len(HEADER)
    parts = [
        one[size:] if not one or one.startswith(HEADER) else _upgraded(one, rule, registry)
        for one in histories
    ]
    stored = np.frombuffer(b"".join(parts), MARK)
    sizes = np.array([len(part) for part in parts], np.int64) // MARK.itemsize
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    return starts, column(stored, "item"), column(stored, "type"), column(stored, "value")


def packed(starts: Longs, item: Ints, event_type: Bytes, value: Floats) -> list[bytes]:
    """Return histories as they are stored, from what `unpacked` returns."""
    marks = np.empty(len(item), MARK)
    marks["item"], marks["type"], marks["value"] = item, event_type, value
    whole, cuts = marks.tobytes(), (starts * MARK.itemsize).tolist()
    return [HEADER + whole[start:end] if end > start else b"" for start, end in pairwise(cuts)]


def newest_ts(history: bytes, decay: Decay | None = None) -> float:
    """Return the newest time of a stored history, which is not empty, in seconds.

    Args:
        history: As it is stored.
        decay: How ratings decay; histories of older versions depend on it.
    """
    if not history.startswith(HEADER):
        return newest_entry_ts(history, decay)
    marks = np.frombuffer(history, MARK, offset=len(HEADER))
    return float(marks["value"][marks["type"] != ORDER_CODE].max())


def mark_count(history_bytes: int, histories: int) -> int:
    """Return how many marks stored histories have, given their bytes together."""
    return max(0, history_bytes - histories * len(HEADER)) // MARK.itemsize


def _upgraded(history: bytes, rule: HistoryRule, registry: Registry) -> bytes:
    """Return the marks of a history of an older version, as bytes."""
    item, event_type, value = marks_of(history, rule, registry)
    marks: Any = np.empty(len(item), MARK)
    marks["item"], marks["type"], marks["value"] = item, event_type, value
    return bytes(marks.tobytes())


@compiled
def entries(
    starts: Longs,
    item: Ints,
    event_type: Bytes,
    value: Floats,
    weight: Floats,
    base: Floats,
    half_life_s: float,
) -> tuple[Longs, Ints, Floats, Floats, Floats, Longs, Ints]:
    """Return the entries that marks make, and the hidden items.

    Args:
        starts: Where the marks of each history start, and the columns of marks.
        item: Items.
        event_type: Types.
        value: Values.
        weight: Weight by type.
        base: Of the rule.
        half_life_s: Of the rule.

    Returns:
        Where the entries of each history start; item, largest weight, rating and newest time of
        each; where the hidden items of each history start, and these.
    """
    users = len(starts) - 1
    entry_starts, hidden_starts = np.zeros(users + 1, np.int64), np.zeros(users + 1, np.int64)
    held, largest = np.empty(len(item), np.int32), np.empty(len(item))
    rating, ts = np.empty(len(item)), np.empty(len(item))
    hidden = np.empty(len(item), np.int32)
    count = hidden_count = 0
    for user in range(users):
        first = count
        for mark in range(starts[user], starts[user + 1]):
            code = event_type[mark]
            if code == ORDER_CODE:
                continue
            if code == HIDDEN_CODE:
                hidden[hidden_count] = item[mark]
                hidden_count += 1
                continue
            level = base[code] + value[mark] / half_life_s
            if count == first or held[count - 1] != item[mark]:
                held[count], largest[count] = item[mark], weight[code]
                rating[count], ts[count] = level, value[mark]
                count += 1
            else:
                largest[count - 1] = max(largest[count - 1], weight[code])
                rating[count - 1] = max(rating[count - 1], level)
                ts[count - 1] = max(ts[count - 1], value[mark])
        entry_starts[user + 1], hidden_starts[user + 1] = count, hidden_count
    return (entry_starts, held[:count], largest[:count], rating[:count], ts[:count],
            hidden_starts, hidden[:hidden_count])  # fmt: skip
