"""The history rule: how a user's events change the user's history.

A history has at most `cap` distinct items. It knows of each item which types of interactions it has
seen and when each came last. The rating of an item is the largest weight of these, and its time the
latest. While the history is over the cap, the item with the smallest (time, item id) is evicted.

An event may also take a type back: then the rating falls to the largest weight that is left, and an
item with no type left leaves the history (ADR-0022). It may hide an item from the user's own list.
It may forget the user. An event that comes long after the newest mark starts a new history, so a
user who was idle for long may also be forgotten (ADR-0007).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.dated_items import (
    ABSENT,
    DatedItems,
    clear,
    date,
    heap_of,
    is_heaped,
    leave_heaps,
    newest_ts,
    oldest_place,
    use_heaps,
)
from streamapp.core.histories.event_types import (
    ADD_TO_CART,
    FORGET_CODE,
    HIDDEN_CODE,
    MOST_TYPES,
    NO_ORDER,
    ORDER_CODE,
    PURCHASE,
    REFUND_CODE,
    REMOVE_CODE,
    UNHIDE_CODE,
)
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.mark_chains import NO_MARK, Chains, find, newest_orders, without
from streamapp.core.histories.marks import packed, unpacked
from streamapp.core.histories.order_index import OrderIndex, add_to_order, order_index, take_order
from streamapp.core.ids.registry import Registry

EVERY_ITEM = -1
"""The item of a refund that names an order and no item."""

_FEW = 16
"""Events of a user up to which looking at every item is the fastest way."""

_NO_PLACE = -1

DAY_S = 86_400.0
"""Seconds of a UTC day; times count from the beginning of one."""


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
        ts: float64. Last event time of the entry in seconds; -inf of an item that left.
        as_of: float64, shape (users,). Newest event time of each history after; -inf without any.
        stored: Each user's history after, as it is stored; none where blocks are not of users.
        is_news: bool, shape (events,). Whether the item of an interaction was not in the history,
            or the interaction raised its largest weight, or fell on a later UTC day than its last
            one. False of other events; empty where blocks are not of users.
    """

    starts: Longs
    item: Ints
    before: Floats
    after: Floats
    ts: Floats
    as_of: Floats
    stored: Sequence[bytes] = ()
    is_news: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))


def revise(
    histories: Sequence[bytes], interactions: Interactions, registry: Registry, rule: HistoryRule
) -> Revisions:
    """Apply the history rule to the users of `interactions`, one after the other.

    Args:
        histories: Each user's history before, as it is stored; b"" for a new user.
        interactions: Of as many users as `histories` has.
        registry: The items' ids; they break ties of time when an item is evicted.
        rule: What a history keeps.

    Cost: O(history) per event of a user with few events, O(log(history)) of a user with many.
    """
    starts, item, before, after, ts, as_of, mark_starts, marked, kind, value, is_news = _revise(
        *unpacked(histories, rule, registry),
        interactions.starts,
        interactions.item,
        interactions.type,
        interactions.ts,
        interactions.order,
        _Rule(
            rule.base,
            rule.types.weight,
            rule.half_life_s,
            rule.cap,
            rule.forget_after_s,
            rule.types.find(ADD_TO_CART),
            rule.types.find(PURCHASE),
        ),
        registry.scratch,
        *registry.text,
    )
    stored = packed(mark_starts, marked, kind, value)
    return Revisions(starts, item, before, after, ts, as_of, stored, is_news)


class _Entries(NamedTuple):
    """Entries of histories by place; the marks of one are a chain.

    Attributes:
        held: The items.
        rating: float64. Of an item that is there.
        first: int64. The first mark of an item that is there.
    """

    held: DatedItems
    rating: Floats
    first: Longs


class _Events(NamedTuple):
    """Events, in order.

    Attributes:
        place: int64. The place of the item, or `_NO_PLACE`; of a hidden item among those.
        item: int32.
        type: uint8.
        ts: float64.
        order: float64.
        is_news: bool. As in `Revisions`; set when the event is applied.
    """

    place: Longs
    item: Ints
    type: Bytes
    ts: Floats
    order: Floats
    is_news: Bools


class _Rule(NamedTuple):
    """The history rule, with the numbers of the types that may be taken back."""

    base: Floats
    weight: Floats
    half_life_s: float
    cap: int
    forget_after_s: float
    cart: int
    bought: int


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
    rule: _Rule,
    scratch: Ints,
    text: Bytes,
    ends: Longs,
) -> tuple[Longs, Ints, Floats, Floats, Floats, Floats, Longs, Ints, Bytes, Floats, Bools]:
    """Apply the history rule; `scratch` is zero before and after."""
    users, most = len(new_starts) - 1, len(old_item) + len(new_item)
    heaped = most if users and np.diff(new_starts).max() > _FEW else 0
    held = DatedItems(np.empty(most, np.int32), np.empty(most), heap_of(heaped), heap_of(heaped))
    hidden = DatedItems(np.empty(most, np.int32), np.empty(most), heap_of(heaped), heap_of(heaped))
    entries = _Entries(held, np.empty(most), np.empty(most, np.int64))
    chains = Chains(
        np.empty(most, np.uint8), np.empty(most), np.empty(most), np.empty(most, np.int64)
    )
    is_news = np.zeros(len(new_item), np.bool_)
    places = np.empty(len(new_item), np.int64)
    events = _Events(places, new_item, new_type, new_ts, new_order, is_news)
    out = np.empty(2 * most, np.int32), np.empty(2 * most, np.uint8), np.empty(2 * most)
    before, ts, after = np.empty(most), held.ts, entries.rating
    starts, as_of = np.zeros(users + 1, np.int64), np.full(users, -np.inf)
    out_starts = np.zeros(users + 1, np.int64)
    no_orders = order_index(new_order[:0], 0)
    start = 0
    for user in range(users):
        old = slice(old_starts[user], old_starts[user + 1])
        new = new_starts[user], new_starts[user + 1]
        is_many, orders = new[1] - new[0] > _FEW, no_orders
        known, marks, hides = _opened(
            old_item[old], old_type[old], old_value[old], entries, chains, hidden, start, rule
        )
        before[start:known] = after[start:known]
        if is_many:
            # Only a pause that starts a new history needs the newest time.
            needs_newest = rule.forget_after_s < np.inf
            use_heaps(held, start, known, needs_newest, text, ends)
            use_heaps(hidden, 0, hides, needs_newest, text, ends)
            orders = _indexed(events, new, entries, chains, start, known, marks)
        end = _locate(events, new, held, start, known, scratch, of_hidden=False)
        before[known:end] = 0.0
        hidden_end = _locate(events, new, hidden, 0, hides, scratch, of_hidden=True)
        _apply(events, new, entries, chains, orders, hidden, (start, known, end), marks,
               (hides, hidden_end), rule, text, ends)  # fmt: skip
        for entry in range(start, end):
            if ts[entry] == ABSENT:
                after[entry] = 0.0
            as_of[user] = max(as_of[user], ts[entry])
        stored = _store(out, out_starts[user], entries, chains, start, end)
        out_starts[user + 1] = _store_hidden(out, stored, hidden, hidden_end)
        if is_many:
            leave_heaps(held)
            leave_heaps(hidden)
            end = _compact(entries, before, start, end)
        starts[user + 1] = start = end
    size = out_starts[users]
    return (starts, held.item[:start], before[:start], after[:start], ts[:start], as_of,
            out_starts, out[0][:size], out[1][:size], out[2][:size], is_news)  # fmt: skip


@compiled
def _apply(
    events: _Events,
    span: tuple[int, int],
    entries: _Entries,
    chains: Chains,
    orders: OrderIndex,
    hidden: DatedItems,
    places: tuple[int, int, int],
    marks: int,
    hidden_places: tuple[int, int],
    rule: _Rule,
    text: Bytes,
    ends: Longs,
) -> None:
    """Apply the events of one user.

    Args:
        events: The events.
        span: Where those of the user start and end.
        entries: The histories.
        chains: The marks of the user.
        orders: The entries of orders that are taken back as a whole.
        hidden: The hidden items of the user.
        places: Where the user's entries start, where those before the events end, and where all
            places end.
        marks: How many marks there are before the events.
        hidden_places: How many hidden items there are before the events, and how many places.
        rule: The history rule.
        text: The ids of all items.
        ends: Where each of them ends.
    """
    held, (start, known, end), (hides, hidden_end) = entries.held, places, hidden_places
    alive, is_dated, newest = known - start, rule.forget_after_s < np.inf, -np.inf
    if is_dated:
        newest = _newest(held, start, end, hidden, hidden_end)
    for event in range(span[0], span[1]):
        code, place, ts = events.type[event], events.place[event], events.ts[event]
        if code == FORGET_CODE or ts - newest > rule.forget_after_s:
            clear(held, start, end)
            clear(hidden, 0, hidden_end)
            alive, hides, newest = 0, 0, -np.inf
        if code == HIDDEN_CODE:
            hides += hidden.ts[place] == ABSENT
            date(hidden, place, max(hidden.ts[place], ts), text, ends)
            newest = max(newest, ts)
            while hides > rule.cap:
                oldest = oldest_place(hidden, 0, hidden_end, text, ends)
                date(hidden, oldest, ABSENT, text, ends)
                hides -= 1
        elif code == UNHIDE_CODE:
            if place != _NO_PLACE and hidden.ts[place] > ABSENT:
                date(hidden, place, ABSENT, text, ends)
                hides -= 1
                if is_dated:
                    newest = _newest(held, start, end, hidden, hidden_end)
        elif code in (REMOVE_CODE, REFUND_CODE):
            taken = rule.cart if code == REMOVE_CODE else rule.bought
            is_whole, order = events.item[event] == EVERY_ITEM, events.order[event]
            for entry in _meant(held, start, end, place, is_whole, orders, order):
                alive -= _take_back(
                    entries, chains, entry, taken, order, is_whole, rule, text, ends
                )
            if is_dated:
                newest = _newest(held, start, end, hidden, hidden_end)
        elif code != FORGET_CODE:
            order = events.order[event] if code == rule.bought else NO_ORDER
            events.is_news[event] = _is_news(entries, chains, place, code, ts, rule)
            if held.ts[place] == ABSENT:
                entries.rating[place], entries.first[place] = 0.0, NO_MARK
                alive += 1
            date(held, place, max(held.ts[place], ts), text, ends)
            rating = rule.base[code] + ts / rule.half_life_s
            entries.rating[place] = max(entries.rating[place], rating)
            marks = _add(entries, chains, place, marks, code, ts, order)
            if len(orders.order) and order != NO_ORDER:
                add_to_order(orders, order, place)
            newest = max(newest, ts)
            while alive > rule.cap:
                oldest = oldest_place(held, start, end, text, ends)
                date(held, oldest, ABSENT, text, ends)
                alive -= 1


@compiled
def _opened(
    item: Ints,
    event_type: Bytes,
    value: Floats,
    entries: _Entries,
    chains: Chains,
    hidden: DatedItems,
    start: int,
    rule: _Rule,
) -> tuple[int, int, int]:
    """Turn stored marks into entries from `start` on, with chains, and into hidden items.

    Returns where the entries end, how many marks there are, and how many hidden items.
    """
    held, rating, first = entries.held, entries.rating, entries.first
    held_item, held_ts = held.item, held.ts
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
        if end == start or held_item[end - 1] != item[stored]:
            held_item[end], held_ts[end] = item[stored], ABSENT
            rating[end], first[end] = 0.0, marks
            end += 1
        else:
            chains.following[marks - 1] = marks
        chains.kind[marks], chains.ts[marks] = code, value[stored]
        chains.order[marks], chains.following[marks] = NO_ORDER, NO_MARK
        level = rule.base[code] + value[stored] / rule.half_life_s
        rating[end - 1] = max(rating[end - 1], level)
        held_ts[end - 1] = max(held_ts[end - 1], value[stored])
        marks += 1
    return end, marks, hides


@compiled
def _locate(
    events: _Events,
    span: tuple[int, int],
    dated: DatedItems,
    start: int,
    end: int,
    scratch: Ints,
    of_hidden: bool,
) -> int:
    """Find the places of the items of one user's events.

    Args:
        events: The events; they get their places.
        span: Where those of the user start and end.
        dated: The items of the history, or the hidden ones. Items that may enter are put behind
            them, absent.
        start: The user's first place.
        end: The place after the user's last one.
        scratch: Zero by item, before and after.
        of_hidden: Whether only the events that hide and unhide are meant, or only the others.

    Returns:
        Where the user's places end then.
    """
    is_many, own = span[1] - span[0] > _FEW, dated.item
    if is_many:
        for place in range(start, end):
            scratch[own[place]] = place + 1
    for event in range(span[0], span[1]):
        code, item, found = events.type[event], events.item[event], _NO_PLACE
        if (code in (HIDDEN_CODE, UNHIDE_CODE)) != of_hidden:
            continue
        if item != EVERY_ITEM:
            if is_many:
                found = scratch[item] - 1
            else:
                for place in range(start, end):
                    if own[place] == item:
                        found = place
                        break
            if found == _NO_PLACE and (code == HIDDEN_CODE or code < MOST_TYPES):
                own[end], dated.ts[end] = item, ABSENT
                found, end = end, end + 1
                if is_many:
                    scratch[item] = end
        events.place[event] = found
    if is_many:
        for place in range(start, end):
            scratch[own[place]] = 0
    return end


@compiled
def _indexed(
    events: _Events,
    span: tuple[int, int],
    entries: _Entries,
    chains: Chains,
    start: int,
    end: int,
    marks: int,
) -> OrderIndex:
    """Return the entries of the orders that one user's events take back as a whole."""
    own = slice(span[0], span[1])
    order = events.order[own]
    is_whole = (
        (events.type[own] == REFUND_CODE) & (events.item[own] == EVERY_ITEM) & (order != NO_ORDER)
    )
    found = order_index(order[is_whole], marks + len(order))
    if len(found.order):
        for place in range(start, end):
            mark = entries.first[place]
            while mark != NO_MARK:
                add_to_order(found, chains.order[mark], place)
                mark = chains.following[mark]
    return found


@compiled
def _newest(held: DatedItems, start: int, end: int, hidden: DatedItems, hidden_end: int) -> float:
    """Return the newest time of what is there; -inf of nothing."""
    return max(newest_ts(held, start, end), newest_ts(hidden, 0, hidden_end))


@compiled
def _is_news(
    entries: _Entries, chains: Chains, entry: int, code: int, ts: float, rule: _Rule
) -> bool:
    """Say whether an interaction that is about to be added is the first one of its item and day.

    One that raises the largest weight of the item is news too. Weights do not decay: with decay,
    every later interaction would raise the rating.
    """
    last = entries.held.ts[entry]
    if last == ABSENT or np.floor(ts / DAY_S) > np.floor(last / DAY_S):
        return True
    largest, mark = 0.0, entries.first[entry]
    while mark != NO_MARK:
        largest = max(largest, rule.weight[chains.kind[mark]])
        mark = chains.following[mark]
    return bool(rule.weight[code] > largest)


@compiled
def _add(
    entries: _Entries, chains: Chains, entry: int, marks: int, code: int, ts: float, order: float
) -> int:
    """Add the mark of an interaction to an entry; return how many marks there are then."""
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
def _meant(
    held: DatedItems,
    start: int,
    end: int,
    place: int,
    is_whole: bool,
    orders: OrderIndex,
    order: float,
) -> Longs:
    """Return the entries from which an event may take something back."""
    if not is_whole:
        return np.full(1 if place != _NO_PLACE else 0, place)
    if not is_heaped(held):
        return np.arange(start, end)
    if order == NO_ORDER:
        return held.oldest.place[: held.oldest.size[0]].astype(np.int64)
    return take_order(orders, order).astype(np.int64)


@compiled
def _take_back(
    entries: _Entries,
    chains: Chains,
    entry: int,
    taken: int,
    order: float,
    is_whole: bool,
    rule: _Rule,
    text: Bytes,
    ends: Longs,
) -> int:
    """Take a type back from an entry; return 1 if the entry leaves, else 0."""
    if entries.held.ts[entry] == ABSENT:
        return 0
    mark = without(chains, entries.first[entry], taken, order, is_whole)
    entries.first[entry], entries.rating[entry] = mark, 0.0
    newest = ABSENT
    while mark != NO_MARK:
        ts = chains.ts[mark]
        rating = rule.base[chains.kind[mark]] + ts / rule.half_life_s
        entries.rating[entry] = max(entries.rating[entry], rating)
        newest = max(newest, ts)
        mark = chains.following[mark]
    date(entries.held, entry, newest, text, ends)
    return int(newest == ABSENT)


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
    held_item, held_ts, first = entries.held.item, entries.held.ts, entries.first
    for entry in range(start, end):
        mark = first[entry] if held_ts[entry] > ABSENT else NO_MARK
        while mark != NO_MARK:
            item[size], event_type[size] = held_item[entry], chains.kind[mark]
            value[size] = chains.ts[mark]
            size += 1
            if chains.order[mark] != NO_ORDER:
                item[size], event_type[size] = held_item[entry], ORDER_CODE
                value[size] = chains.order[mark]
                size += 1
            mark = chains.following[mark]
    return size


@compiled
def _store_hidden(out: tuple[Ints, Bytes, Floats], size: int, hidden: DatedItems, end: int) -> int:
    """Write the marks of hidden items; return how many there are then."""
    item, event_type, value = out
    for place in range(end):
        if hidden.ts[place] > ABSENT:
            item[size], event_type[size] = hidden.item[place], HIDDEN_CODE
            value[size] = hidden.ts[place]
            size += 1
    return size


@compiled
def _compact(entries: _Entries, before: Floats, start: int, end: int) -> int:
    """Drop entries that are in neither history, because their items came and left again."""
    item, ts, rating, kept = entries.held.item, entries.held.ts, entries.rating, start
    for entry in range(start, end):
        if before[entry] > 0 or rating[entry] > 0:
            item[kept], ts[kept] = item[entry], ts[entry]
            before[kept], rating[kept] = before[entry], rating[entry]
            kept += 1
    return kept
