"""The truth: counts of a log as the Gram matrix of its live histories.

A history that never exceeded the cap, never started again and took nothing back does not depend on
the order of its events: each rating is the largest weight. Only the other users are processed event
by event; users who are merged, together. Then the counts are one sparse product. Source: the
history rule in `docs/contracts.md`.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from streamapp.audit.log import LogInteractions
from streamapp.audit.replay import Replay
from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.histories.decay import ERA_WIDTH, Decay
from streamapp.core.histories.event_types import (
    FORGET,
    HIDE,
    MERGE,
    NO_ORDER,
    PURCHASE,
    TAKES_BACK,
    UNHIDE,
)
from streamapp.core.ids.role_registry import NO_ROLES, Roles
from streamapp.inspection.counts_merge import Counts

_ENDS = {FORGET, MERGE}

_STEP = ERA_WIDTH // 2
_SMALLEST = -500.0


class Ratings(NamedTuple):
    """The entries of all live histories.

    Attributes:
        user: int32, shape (entries,). User numbers.
        item: int32. Item numbers, distinct for each user.
        rating: float64, > 0.
        ts: float64. Last event time of the entry in seconds.
        level: float64. If interactions decay, the largest level; `rating` is then without decay.
    """

    user: Ints
    item: Ints
    rating: Floats
    ts: Floats
    level: Floats | None = None

    def only(self, entries: Bools) -> "Ratings":
        """Return some of the entries."""
        return Ratings(*(None if column is None else column[entries] for column in self))  # type: ignore[arg-type]


class _Replayed(NamedTuple):
    """What events make.

    Attributes:
        histories: By user.
        news: Of each event, whether it is news.
    """

    histories: dict[int, Replay]
    news: list[bool]


def live_ratings(
    log: LogInteractions, cap: int, forget_after_s: float = np.inf, decay: Decay | None = None
) -> Ratings:
    """Return the ratings that the history rule makes of the interactions of `log`.

    Args:
        log: The interactions; those of one user in the order in which they were applied.
        cap: Most entries of a history.
        forget_after_s: An interaction that is later than the newest entry by more than this starts
            an empty history.
        decay: How interactions decay; None if they do not.

    Cost: O(n log n), and a Python loop over the events of users above the cap, once idle, or with
        events that take back, hide or forget.
    """
    live = _live(log, log.weight, cap, forget_after_s)
    if decay is None:
        return live
    with np.errstate(divide="ignore"):
        levels = decay.levels(log.weight, log.ts)
    return live._replace(level=_live(log, levels, cap, forget_after_s).rating)


def hidden_items(
    log: LogInteractions, cap: int, forget_after_s: float = np.inf
) -> dict[int, dict[str, float]]:
    """Return the items that users have hidden, and the times, by user number.

    The arguments are those of `live_ratings`.
    """
    found = {}
    for places in _together(log, _changes_its_mind(log)):
        histories = _replayed(log, places, log.weight, cap, forget_after_s).histories
        for user, one in histories.items():
            if one.hidden:
                found[user] = {log.items[item]: ts for item, ts in one.hidden.items()}
    return found


def depends_on_order(log: LogInteractions, cap: int, forget_after_s: float) -> Bools:
    """Return for each user whether the history depends on the order of the user's events."""
    whole = _largest(log, log.weight)
    apart = np.bincount(whole.user, minlength=len(log.users)) > cap
    apart |= _idle_once(log, forget_after_s) | _changes_its_mind(log)
    return apart


def news_in_order(
    log: LogInteractions, chosen: Bools, cap: int, forget_after_s: float
) -> Iterator[tuple[Longs, Bools]]:
    """Yield the places of the events of some users, and which of them are news.

    An interaction is news if its item is not in the history, or if it raises the rating, or falls
    on a later UTC day than the last one. Other events are none.

    Args:
        log: The interactions; those of one user, and of all who are merged, in the order in which
            they were applied.
        chosen: bool, by user.
        cap: Most entries of a history.
        forget_after_s: As in `live_ratings`.
    """
    for places in _together(log, chosen):
        news = _replayed(log, places, log.weight, cap, forget_after_s).news
        yield places, np.array(news, np.bool_)


def _live(log: LogInteractions, weight: Floats, cap: int, forget_after_s: float) -> Ratings:
    whole = _largest(log, weight)
    apart = depends_on_order(log, cap, forget_after_s)
    parts = [whole.only(~apart[whole.user])]
    for places in _together(log, apart):
        for user, one in _replayed(log, places, weight, cap, forget_after_s).histories.items():
            kept = one.entries()
            parts.append(
                Ratings(
                    np.full(len(kept), user, np.int32),
                    np.fromiter(kept.keys(), np.int32, len(kept)),
                    np.array([rating for rating, _ in kept.values()], np.float64),
                    np.array([ts for _, ts in kept.values()], np.float64),
                )
            )
    return Ratings(*(np.concatenate([part[place] for part in parts]) for place in range(4)))


def _together(log: LogInteractions, chosen: Bools) -> Iterator[Longs]:
    """Yield the places of the events of some users: of each alone, or of all who are merged."""
    merged = merged_users(log)
    if (merged & chosen).any():
        yield np.flatnonzero((merged & chosen)[log.user])
    events = np.flatnonzero((chosen & ~merged)[log.user])
    events = events[np.argsort(log.user[events], kind="stable")]
    bounds = np.flatnonzero(np.diff(log.user[events], prepend=-1, append=-1)).tolist()
    for start, end in pairwise(bounds):
        yield events[start:end]


def merged_users(log: LogInteractions) -> Bools:
    """Return for each user whether some event merges the user, or another one into the user."""
    found = np.zeros(len(log.users), np.bool_)
    if log.into is not None:
        merges = log.into >= 0
        found[log.user[merges]] = found[log.into[merges]] = True
    return found


def _changes_its_mind(log: LogInteractions) -> Bools:
    """Return for each user whether some event takes back, hides, forgets or merges."""
    found = merged_users(log)
    found[log.user[log.weight == 0]] = True
    return found


def gram(ratings: Ratings, users: int, items: list[str], roles: Roles = NO_ROLES) -> Counts:
    """Return the counts of `ratings`; items in no history are left out.

    If items have roles, only items of one role have rows, and rows hold only items of the other.

    Cost: O(sum of squared history lengths) time; 24 bytes a cell, a few times that in between.
    """
    held = np.unique(ratings.item).tolist()
    order = sorted(held, key=items.__getitem__)
    names = [items[number] for number in order]
    number = np.zeros(len(items), np.int32)
    number[order] = np.arange(len(order))
    place, rating, exponent = number[ratings.item], ratings.rating, None
    if ratings.level is not None:
        rating, exponent = _faded(ratings.level, place, len(order))
    shown = ratings._replace(item=place, rating=rating)
    (dots, supports), own = _products(shown, users, names, roles)
    rows = np.repeat(np.arange(len(order)), np.diff(dots.indptr))
    beside = own[rows] != dots.indices
    sizes = np.bincount(rows[beside], minlength=len(order))
    return Counts(
        items=names,
        sum_sq=np.bincount(place, rating**2, len(order)).astype(np.float64),
        users=np.bincount(place, minlength=len(order)).astype(np.int64),
        indptr=np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))),
        indices=dots.indices[beside].astype(np.int32),
        dot=dots.data[beside],
        support=supports.data[beside].astype(np.int32),
        exponent=exponent,
    )


def _products(
    ratings: Ratings, users: int, names: list[str], roles: Roles
) -> tuple[list[Any], Ints]:
    """Return dots and supports, sorted CSR, and by row the column that is the item itself."""
    number = {name: column for column, name in enumerate(names)}
    own = np.array(
        [number.get(roles.column + name.removeprefix(roles.row), -1) for name in names], np.int32
    )
    user, place, shape = ratings.user, ratings.item, (users, len(names))
    parts = [np.array([name.startswith(role) for name in names], np.bool_)[place] for role in roles]
    products = []
    for values in (ratings.rating, np.ones(len(place))):
        left, right = (
            csr_array((values[some], (user[some], place[some])), shape) for some in parts
        )
        product = (left.T @ right).tocsr()
        product.sort_indices()
        products.append(product)
    return products, own


def _faded(levels: Floats, item: Ints, items: int) -> tuple[Floats, Longs]:
    """Return ratings in units of 2 ** exponent of their item, and the exponents, int64.

    The exponent is that of the item's newest era. Ratings that are too small beside it become tiny
    instead of 0, because a sparse product leaves out zeros.
    """
    newest = np.full(items, -np.inf)
    np.maximum.at(newest, item, levels)
    exponent = (np.floor(newest / _STEP) * _STEP).astype(np.int64)
    return np.exp2(np.maximum(levels - exponent[item], _SMALLEST)), exponent


def newest_of(live: Ratings, hidden: Mapping[int, Mapping[str, float]], users: int) -> Floats:
    """Return the newest time in each history in seconds, float64; -inf of an empty history."""
    newest = np.full(users, -np.inf)
    np.maximum.at(newest, live.user, live.ts)
    for user, times in hidden.items():
        newest[user] = max(newest[user], *times.values())
    return newest


def _idle_once(log: LogInteractions, forget_after_s: float) -> Bools:
    """Return for each user whether an event came more than that after the previous one.

    Only histories of these users may have started again: the newest earlier event is never older
    than the previous one.
    """
    idle = np.zeros(len(log.users), np.bool_)
    order = np.argsort(log.user, kind="stable")
    user, ts = log.user[order], log.ts[order]
    # Two events without a time have no pause between them.
    with np.errstate(invalid="ignore"):
        pause_s = np.diff(ts)
    idle[user[1:][(user[1:] == user[:-1]) & (pause_s > forget_after_s)]] = True
    return idle


def _largest(log: LogInteractions, weight: Floats) -> Ratings:
    """Return each user's largest weight and last time for each item, with nothing evicted.

    Events that take back, hide or forget are left out.
    """
    rated = np.flatnonzero(log.weight > 0)
    user, item = log.user[rated], log.item[rated]
    key = user.astype(np.int64) * len(log.items) + item
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    first = order[starts]
    columns = weight[rated], log.ts[rated]
    if not len(starts):
        return Ratings(user[first], item[first], columns[0][first], columns[1][first])
    rating, ts = (np.maximum.reduceat(column[order], starts) for column in columns)
    return Ratings(user[first], item[first], rating, ts)


def _replayed(
    log: LogInteractions, places: Longs, weight: Floats, cap: int, forget_after_s: float
) -> _Replayed:
    """Apply the history rule to the events at some places, one by one."""
    found, news = dict[int, Replay](), list[bool]()
    columns = [column[places].tolist() for column in (log.user, log.item, weight, log.ts)]
    size = len(places)
    kinds, orders, heirs = [""] * size, [NO_ORDER] * size, [-1] * size
    if log.kind is not None:
        kinds = [log.kinds[number] for number in log.kind[places].tolist()]
    if log.order is not None:
        orders = log.order[places].tolist()
    if log.into is not None:
        heirs = log.into[places].tolist()
    events = zip(*columns, kinds, orders, heirs, strict=True)
    for user, item, value, ts, kind, order, heir in events:
        replay = found.get(user)
        if replay is None:
            replay = found[user] = Replay(log.items, cap)
        if kind == MERGE:
            known = found.get(heir)
            if known is None or replay.newest - known.newest > forget_after_s:
                known = found[heir] = Replay(log.items, cap)
            known.take_over(replay)
        if kind in _ENDS or ts - replay.newest > forget_after_s:
            replay = found[user] = Replay(log.items, cap)
        news.append(_take(replay, item, value, ts, kind, order))
    return _Replayed(found, news)


def _take(replay: Replay, item: int, value: float, ts: float, kind: str, order: float) -> bool:
    """Apply an event to a history that does not end with it; return whether it is news."""
    if kind in TAKES_BACK:
        replay.take_back(item, TAKES_BACK[kind], order)
    elif kind == HIDE:
        replay.hide(item, ts)
    elif kind == UNHIDE:
        replay.show(item)
    elif kind not in _ENDS:
        number = order if kind == PURCHASE else NO_ORDER
        return replay.add(item, kind or str(value), value, ts, number)
    return False
