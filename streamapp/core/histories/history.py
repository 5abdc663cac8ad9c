"""The history rule: how a user's events change the user's history.

A history has at most `cap` distinct items. It knows of each item which types of interactions it has
seen and when each came last. The rating of an item is the largest weight of these, and its time the
latest. While the history is over the cap, the item with the smallest (time, item id) is evicted.

An event may also take a type back: then the rating falls to the largest weight that is left, and an
item with no type left leaves the history (ADR-0021). It may hide an item from the user's own list.
It may forget the user. An event that comes long after the newest mark starts a new history, so a
user who was idle for long may also be forgotten (ADR-0007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bytes, Floats, Ints, Longs
from streamapp.core.histories.event_types import (
    ADD_TO_CART,
    FORGET_CODE,
    HIDDEN_CODE,
    NO_ORDER,
    ORDER_CODE,
    PURCHASE,
    REFUND_CODE,
    REMOVE_CODE,
    UNHIDE_CODE,
)
from streamapp.core.histories.hidden_items import HiddenItems, hide, show
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.mark_chains import NO_MARK, Chains, find, newest_orders, without
from streamapp.core.histories.marks import packed, unpacked
from streamapp.core.ids.registry import Registry, precedes

EVERY_ITEM = -1
"""The item of a refund that names an order and no item."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events grouped by user, in the order of each user's partition.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers, or `EVERY_ITEM`.
        type: uint8. Numbers of types, as `EventTypes.numbers` returns them.
        ts: float64. Event time in seconds.
        order: float64. Numbers of orders, or `NO_ORDER`.
    """

    starts: Longs
    item: Ints
    type: Bytes
    ts: Floats
    order: Floats

    @classmethod
    def forgetting(cls, users: int) -> "Interactions":
        """Return one event for each user, which forgets the user."""
        return cls(
            np.arange(users + 1, dtype=np.int64),
            np.full(users, EVERY_ITEM, np.int32),
            np.full(users, FORGET_CODE, np.uint8),
            np.full(users, -np.inf),
            np.full(users, NO_ORDER),
        )


@dataclass(frozen=True, slots=True)
class Revisions:
    """Users' histories before and after some events, one block of entries a user.

    Attributes:
        starts: int64, shape (users + 1,). The block of user u lies at starts[u]:starts[u + 1].
        item: int32. Item numbers, distinct within a block.
        before: float64. Rating before; 0 if the item was not in the history. With decay, ratings
            are levels.
        after: float64. Rating after; 0 if the item is no longer in the history.
        ts: float64. Last event time of the entry in seconds.
        as_of: float64, shape (users,). Newest event time of each history after; -inf without any.
        stored: Each user's history after, as it is stored; none where blocks are not of users.
    """

    starts: Longs
    item: Ints
    before: Floats
    after: Floats
    ts: Floats
    as_of: Floats
    stored: Sequence[bytes] = ()


def revise(
    histories: Sequence[bytes], interactions: Interactions, registry: Registry, rule: HistoryRule
) -> Revisions:
    """Apply the history rule to the users of `interactions`, one after the other.

    Args:
        histories: Each user's history before, as it is stored; b"" for a new user.
        interactions: Of as many users as `histories` has.
        registry: The items' ids; they break ties of time when an item is evicted.
        rule: What a history keeps.

    Cost: O(history) per event, and as much again per eviction.
    """
    starts, item, before, after, ts, as_of, mark_starts, marked, kind, value = _revise(
        *unpacked(histories, rule, registry),
        interactions.starts,
        interactions.item,
        interactions.type,
        interactions.ts,
        interactions.order,
        rule.base,
        rule.half_life_s,
        rule.cap,
        rule.forget_after_s,
        rule.types.find(ADD_TO_CART),
        rule.types.find(PURCHASE),
        *registry.text,
    )
    stored = packed(mark_starts, marked, kind, value)
    return Revisions(starts, item, before, after, ts, as_of, stored)


class _Entries(NamedTuple):
    """Entries of histories; the marks of one are a chain.

    Attributes:
        item: int32.
        after: float64. The rating; 0 of an entry that left.
        ts: float64.
        first: int64. The first mark.
    """

    item: Ints
    after: Floats
    ts: Floats
    first: Longs


@compiled
def _revise(
    old_starts: Longs,
    old_item: Ints,
    old_type: Bytes,
    old_value: Floats,
    new_starts: Longs,
    new_item: Ints,
    new_type: Bytes,
    new_ts: Floats,
    new_order: Floats,
    base: Floats,
    half_life_s: float,
    cap: int,
    forget_after_s: float,
    cart: int,
    bought: int,
    text: Bytes,
    ends: Longs,
) -> tuple[Longs, Ints, Floats, Floats, Floats, Floats, Longs, Ints, Bytes, Floats]:
    users, most = len(new_starts) - 1, len(old_item) + len(new_item)
    entries = _Entries(
        np.empty(most, np.int32), np.zeros(most), np.empty(most), np.empty(most, np.int64)
    )
    chains = Chains(
        np.empty(most, np.uint8), np.empty(most), np.empty(most), np.empty(most, np.int64)
    )
    hidden = HiddenItems(np.empty(most, np.int32), np.empty(most))
    out = np.empty(2 * most, np.int32), np.empty(2 * most, np.uint8), np.empty(2 * most)
    before = np.zeros(most)
    starts, as_of = np.zeros(users + 1, np.int64), np.full(users, -np.inf)
    out_starts = np.zeros(users + 1, np.int64)
    end = 0
    for user in range(users):
        old, start = slice(old_starts[user], old_starts[user + 1]), end
        end, marks, hides = _opened(
            old_item[old], old_type[old], old_value[old], entries, chains, hidden, start, base,
            half_life_s,
        )  # fmt: skip
        before[start:end] = entries.after[start:end]
        alive, newest = end - start, _newest(entries, start, end, hidden, hides)
        for event in range(new_starts[user], new_starts[user + 1]):
            code, item, ts = new_type[event], new_item[event], new_ts[event]
            if code == FORGET_CODE or ts - newest > forget_after_s:
                entries.after[start:end] = 0.0
                alive, hides, newest = 0, 0, -np.inf
            if code == HIDDEN_CODE:
                hides = hide(hidden, hides, item, ts, cap, text, ends)
                newest = max(newest, ts)
            elif code == UNHIDE_CODE:
                hides = show(hidden, hides, item)
                newest = _newest(entries, start, end, hidden, hides)
            elif code in (REMOVE_CODE, REFUND_CODE):
                taken = cart if code == REMOVE_CODE else bought
                alive -= _take_back(
                    entries, chains, start, end, item, taken, new_order[event], base, half_life_s
                )
                newest = _newest(entries, start, end, hidden, hides)
            elif code != FORGET_CODE:
                order = new_order[event] if code == bought else NO_ORDER
                entry = _entry_of(entries, start, end, item)
                end = max(end, entry + 1)
                alive += entries.after[entry] == 0
                marks = _add(entries, chains, entry, marks, code, ts, order, base, half_life_s)
                newest = max(newest, ts)
                while alive > cap:
                    entries.after[_oldest(entries, start, end, text, ends)] = 0.0
                    alive -= 1
        for entry in range(start, end):
            if entries.after[entry] > 0:
                as_of[user] = max(as_of[user], entries.ts[entry])
        starts[user + 1] = end
        out_starts[user + 1] = _store(out, out_starts[user], entries, chains, start, end)
        for place in range(hides):
            last = out_starts[user + 1]
            out[0][last], out[1][last] = hidden.item[place], HIDDEN_CODE
            out[2][last] = hidden.ts[place]
            out_starts[user + 1] += 1
    size = out_starts[users]
    return (starts, entries.item[:end], before[:end], entries.after[:end], entries.ts[:end], as_of,
            out_starts, out[0][:size], out[1][:size], out[2][:size])  # fmt: skip


@compiled
def _opened(
    item: Ints,
    event_type: Bytes,
    value: Floats,
    entries: _Entries,
    chains: Chains,
    hidden: HiddenItems,
    start: int,
    base: Floats,
    half_life_s: float,
) -> tuple[int, int, int]:
    """Turn stored marks into entries from `start` on, with chains, and into hidden items.

    Returns where the entries end, how many marks the chains have, and how many items are hidden.
    """
    end, marks, hides = start, 0, 0
    for stored in range(len(item)):
        code = event_type[stored]
        if code == ORDER_CODE:
            chains.order[marks - 1] = value[stored]
            continue
        if code == HIDDEN_CODE:
            hidden.item[hides], hidden.ts[hides] = item[stored], value[stored]
            hides += 1
            continue
        if end == start or entries.item[end - 1] != item[stored]:
            entries.item[end], entries.first[end] = item[stored], marks
            entries.after[end], entries.ts[end] = 0.0, -np.inf
            end += 1
        else:
            chains.following[marks - 1] = marks
        chains.kind[marks], chains.ts[marks] = code, value[stored]
        chains.order[marks], chains.following[marks] = NO_ORDER, NO_MARK
        _rate(entries, end - 1, base[code] + value[stored] / half_life_s, value[stored])
        marks += 1
    return end, marks, hides


@compiled
def _rate(entries: _Entries, entry: int, rating: float, ts: float) -> None:
    entries.after[entry] = max(entries.after[entry], rating)
    entries.ts[entry] = max(entries.ts[entry], ts)


@compiled
def _entry_of(entries: _Entries, start: int, end: int, item: int) -> int:
    """Return the entry of an item, which may have left; one at `end` is new."""
    entry = start
    while entry < end and entries.item[entry] != item:
        entry += 1
    if entry == end:
        entries.item[entry], entries.after[entry] = item, 0.0
    if entries.after[entry] == 0:
        entries.first[entry], entries.ts[entry] = NO_MARK, -np.inf
    return entry


@compiled
def _add(
    entries: _Entries,
    chains: Chains,
    entry: int,
    marks: int,
    code: int,
    ts: float,
    order: float,
    base: Floats,
    half_life_s: float,
) -> int:
    """Add an interaction to an entry; return how many marks there are then."""
    _rate(entries, entry, base[code] + ts / half_life_s, ts)
    mark = find(chains, entries.first[entry], code, order)
    if mark != NO_MARK:
        chains.ts[mark] = max(chains.ts[mark], ts)
        return marks
    chains.kind[marks], chains.ts[marks], chains.order[marks] = code, ts, order
    chains.following[marks], entries.first[entry] = entries.first[entry], marks
    if order != NO_ORDER:
        entries.first[entry] = newest_orders(chains, marks)
    return marks + 1


@compiled
def _take_back(
    entries: _Entries,
    chains: Chains,
    start: int,
    end: int,
    item: int,
    taken: int,
    order: float,
    base: Floats,
    half_life_s: float,
) -> int:
    """Take a type back from an item, or from all; return how many entries leave."""
    left = 0
    for entry in range(start, end):
        is_meant = item == EVERY_ITEM or entries.item[entry] == item
        if is_meant and entries.after[entry] > 0:
            mark = without(chains, entries.first[entry], taken, order, item == EVERY_ITEM)
            entries.first[entry] = mark
            entries.after[entry], entries.ts[entry] = 0.0, -np.inf
            left += mark == NO_MARK
            while mark != NO_MARK:
                ts = chains.ts[mark]
                _rate(entries, entry, base[chains.kind[mark]] + ts / half_life_s, ts)
                mark = chains.following[mark]
    return left


@compiled
def _newest(entries: _Entries, start: int, end: int, hidden: HiddenItems, hides: int) -> float:
    """Return the newest time of what is there; -inf of nothing."""
    newest = -np.inf
    for entry in range(start, end):
        if entries.after[entry] > 0:
            newest = max(newest, entries.ts[entry])
    for place in range(hides):
        newest = max(newest, hidden.ts[place])
    return newest


@compiled
def _oldest(entries: _Entries, start: int, end: int, text: Bytes, ends: Longs) -> int:
    """Return the entry with the smallest (time, item id)."""
    item, after, ts = entries.item, entries.after, entries.ts
    oldest = -1
    for entry in range(start, end):
        if after[entry] > 0 and (
            oldest < 0
            or ts[entry] < ts[oldest]
            or (ts[entry] == ts[oldest] and precedes(text, ends, item[entry], item[oldest]))
        ):
            oldest = entry
    return oldest


@compiled
def _store(
    out: tuple[Ints, Bytes, Floats],
    size: int,
    entries: _Entries,
    chains: Chains,
    start: int,
    end: int,
) -> int:
    """Write the marks of entries behind those in `out`; return how many there are then."""
    item, event_type, value = out
    for entry in range(start, end):
        mark = entries.first[entry] if entries.after[entry] > 0 else NO_MARK
        while mark != NO_MARK:
            item[size], event_type[size] = entries.item[entry], chains.kind[mark]
            value[size] = chains.ts[mark]
            size += 1
            if chains.order[mark] != NO_ORDER:
                item[size], event_type[size] = entries.item[entry], ORDER_CODE
                value[size] = chains.order[mark]
                size += 1
            mark = chains.following[mark]
    return size
