"""The truth: counts of a log as the Gram matrix of its live histories.

If a history never exceeded the cap and never started again, the order of its events does not
matter: each rating is the largest weight. Only the other users are processed event by event. Then
the counts are one sparse product. Source: the history rule in `docs/contracts.md`.
"""

from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from streamapp.audit.log import LogInteractions
from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.histories.decay import ERA_WIDTH, Decay
from streamapp.core.ids.role_registry import NO_ROLES, Roles
from streamapp.inspection.counts_merge import Counts

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

    Cost: O(n log n), and a Python loop over the events of users above the cap or once idle.
    """
    live = _live(log, cap, forget_after_s)
    if decay is None:
        return live
    levels = replace(log, weight=decay.levels(log.weight, log.ts))
    return live._replace(level=_live(levels, cap, forget_after_s).rating)


def _live(log: LogInteractions, cap: int, forget_after_s: float) -> Ratings:
    whole = _largest(log)
    apart = np.bincount(whole.user, minlength=len(log.users)) > cap
    apart |= _idle_once(log, forget_after_s)
    calm = ~apart[whole.user]
    parts = [whole.only(calm)]
    events = np.flatnonzero(apart[log.user])
    events = events[np.argsort(log.user[events], kind="stable")]
    bounds = np.flatnonzero(np.diff(log.user[events], prepend=-1, append=-1)).tolist()
    for start, end in pairwise(bounds):
        some = events[start:end]
        kept = _evicted(
            [log.items[number] for number in log.item[some].tolist()],
            log.item[some].tolist(), log.weight[some].tolist(), log.ts[some].tolist(), cap,
            forget_after_s,
        )  # fmt: skip
        parts.append(
            Ratings(
                np.full(len(kept), log.user[some[0]], np.int32),
                np.fromiter(kept.keys(), np.int32, len(kept)),
                np.array([rating for rating, _ in kept.values()], np.float64),
                np.array([ts for _, ts in kept.values()], np.float64),
            )
        )
    return Ratings(*(np.concatenate([part[place] for part in parts]) for place in range(4)))


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


def newest_of(log: LogInteractions) -> Floats:
    """Return the newest event time of each user in seconds, float64, shape (users,)."""
    newest = np.full(len(log.users), -np.inf)
    np.maximum.at(newest, log.user, log.ts)
    return newest


def _idle_once(log: LogInteractions, forget_after_s: float) -> Bools:
    """Return for each user whether an event came more than that after the previous one.

    Only histories of these users may have started again: the newest earlier event is never older
    than the previous one.
    """
    idle = np.zeros(len(log.users), np.bool_)
    order = np.argsort(log.user, kind="stable")
    user, ts = log.user[order], log.ts[order]
    idle[user[1:][(user[1:] == user[:-1]) & (np.diff(ts) > forget_after_s)]] = True
    return idle


def _largest(log: LogInteractions) -> Ratings:
    """Return each user's largest weight and last time for each item, with nothing evicted."""
    key = log.user.astype(np.int64) * len(log.items) + log.item
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    first = order[starts]
    if not len(starts):
        return Ratings(log.user[first], log.item[first], log.weight[first], log.ts[first])
    rating, ts = (np.maximum.reduceat(column[order], starts) for column in (log.weight, log.ts))
    return Ratings(log.user[first], log.item[first], rating, ts)


def _evicted(
    names: list[str],
    items: list[int],
    weights: list[float],
    times: list[float],
    cap: int,
    forget_after_s: float,
) -> dict[int, tuple[float, float]]:
    """Apply the history rule to one user's interactions, one by one.

    Returns by item the rating and the last event time.

    The queue holds an entry for every time that an item ever had. An entry is stale if the item has
    another time now, or is gone.
    """
    ratings: dict[int, float] = {}
    last: dict[int, float] = {}
    queue: list[tuple[float, str, int]] = []
    newest = -np.inf
    for name, item, weight, ts in zip(names, items, weights, times, strict=True):
        if ratings and ts - newest > forget_after_s:
            ratings, last, queue, newest = {}, {}, [], -np.inf
        newest = max(newest, ts)
        if item not in ratings or ts > last[item]:
            last[item] = ts
            heappush(queue, (ts, name, item))
        ratings[item] = max(ratings.get(item, 0.0), weight)
        while len(ratings) > cap:
            oldest, _, gone = heappop(queue)
            if gone in ratings and last[gone] == oldest:
                del ratings[gone]
    return {item: (rating, last[item]) for item, rating in ratings.items()}
