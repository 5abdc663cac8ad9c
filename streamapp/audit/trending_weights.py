"""What each interaction of a log adds to the popularity of its item.

With TRENDING_REPEATS=daily that depends on the order of the events on one item: those of one user,
or of all users who are merged, directly or over others. The log has the order of the events of one
user and one topic, and no other. It does not say when a merged history arrived. So there are two
bounds: what is added in every order that the topics allow, and what is added in some.
"""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from streamapp.audit.log import LogInteractions, TrendingWeights
from streamapp.audit.replay import DAY_S
from streamapp.audit.truth import depends_on_order, merged_users, news_in_order
from streamapp.core.arrays.array_types import Bools, Ints, Longs
from streamapp.core.events.interaction_sink import NOBODY


def daily_weights(
    log: LogInteractions,
    topic_of: Mapping[str, str],
    half_life_s: float,
    cap: int,
    forget_after_s: float = np.inf,
) -> TrendingWeights:
    """Return what the interactions of a log add, if repeats count once a day.

    Args:
        log: All events; those of one user and one topic in the order in which they were applied. A
            merge is an event of the user who leaves.
        topic_of: The topic of each event type; types that are left out share one.
        half_life_s: Of the popularity; > 0.
        cap: Most entries of a history.
        forget_after_s: As in `live_ratings`.

    Cost: O(n log n), and a Python loop over the events of users whose history depends on the order,
        except users who are merged.
    """
    topic = _topics(log, topic_of)
    of_nobody = log.user == (log.users.index(NOBODY) if NOBODY in log.users else -1)
    in_order, loose = np.zeros((2, len(log.users)), np.bool_)
    several, group = _several(log, topic), _groups(log)
    if len(log.user):
        merged = merged_users(log)
        in_order = depends_on_order(log, cap, forget_after_s) & ~merged
        in_order[log.user[of_nobody]] = False
        loose = in_order & several | merged & _loose(log, several, group, cap, forget_after_s)
    entry, stream = _entries(log, group), _streams(log, topic)
    always, possible = _news(log, entry, stream)
    unclear = loose[log.user]
    always[unclear], possible[unclear] = False, log.weight[unclear] > 0
    for places, news in news_in_order(log, in_order & ~several, cap, forget_after_s):
        always[places] = possible[places] = news
    # The first interaction with an item always adds; it is the first one of some stream.
    always |= _least_first(log, entry, stream, always, half_life_s)
    always |= of_nobody
    possible |= of_nobody
    return TrendingWeights(log.weight * always, log.weight * possible)


def _groups(log: LogInteractions) -> Longs:
    """Return for each user the number of the group: all who are merged, directly or over others."""
    users = len(log.users)
    if log.into is None:
        return np.arange(users)
    merges = np.flatnonzero(log.into >= 0)
    pairs = log.user[merges], log.into[merges]
    found: Longs = connected_components(coo_array((np.ones(len(merges)), pairs), (users, users)))[1]
    return found


def _loose(
    log: LogInteractions, several: Bools, group: Longs, cap: int, forget_after_s: float
) -> Bools:
    """Return for each merged user whether an item may leave the history at an unknown place.

    A merge ends the history at its own place among the events of one topic. An item may also be
    taken back, or leave because a history arrives: then the group has more items than a history
    holds, or is active for longer than a history lasts.

    Args:
        log: All events.
        several: bool, by user. Whether the user has events of more than one topic.
        group: int64, by user.
        cap: Most entries of a history.
        forget_after_s: As in `live_ratings`.
    """
    rated, groups = log.weight > 0, int(group.max()) + 1
    leaves = np.zeros(len(log.users), np.bool_)
    loose = leaves.copy()
    if log.into is not None:
        leaves[log.user[log.into >= 0]] = True
        loose[log.user[~rated & (log.into < 0)]] = True
    pairs = np.unique(group[log.user[rated]] * len(log.items) + log.item[rated])
    sizes = np.bincount(pairs // max(1, len(log.items)), minlength=groups)
    first, last = np.full(groups, np.inf), np.full(groups, -np.inf)
    dated = np.isfinite(log.ts)
    np.minimum.at(first, group[log.user[dated]], log.ts[dated])
    np.maximum.at(last, group[log.user[dated]], log.ts[dated])
    is_group_loose = (sizes > cap) | (last - first > forget_after_s)
    found: Bools = loose | leaves & several | is_group_loose[group]
    return found


def _topics(log: LogInteractions, topic_of: Mapping[str, str]) -> Ints:
    """Return the number of the topic of each event."""
    if log.kind is None:
        return np.zeros(len(log.user), np.int32)
    names = [topic_of.get(kind, "") for kind in log.kinds]
    numbers = {name: number for number, name in enumerate(sorted({*names}))}
    return np.array([numbers[name] for name in names], np.int32)[log.kind]


def _several(log: LogInteractions, topic: Ints) -> Bools:
    """Return for each user whether the events are of more than one topic."""
    first = np.full(len(log.users), np.iinfo(np.int32).max)
    last = np.full(len(log.users), -1)
    np.minimum.at(first, log.user, topic)
    np.maximum.at(last, log.user, topic)
    several: Bools = first < last
    return several


def _entries(log: LogInteractions, group: Longs) -> Longs:
    """Return a number for each pair of group and item, by event, below the number of events."""
    key = group[log.user].astype(np.int64) * (len(log.items) + 1) + log.item + 1
    number: Longs = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return number


def _streams(log: LogInteractions, topic: Ints) -> Longs:
    """Return a number for each stream, by event: events of one user and topic, up to a merge."""
    size = len(log.user)
    part = np.zeros(size, np.int64)
    if log.into is not None:
        order = np.argsort(log.user, kind="stable")
        merges = np.cumsum(log.into[order] >= 0)
        # A merge belongs to the part that it ends. Parts of two users may have one number.
        part[order] = merges - (log.into[order] >= 0)
    key = (log.user.astype(np.int64) * (size + 1) + part) * (int(topic.max(initial=0)) + 1) + topic
    number: Longs = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return number


def _news(log: LogInteractions, entry: Longs, stream: Longs) -> tuple[Bools, Bools]:
    """Return which interactions are news in every order, and which in some, if nothing leaves.

    An interaction is news in some order if it is news when the other streams come after it. It is
    news in every order if it is news when the other streams come first.

    Args:
        log: All events.
        entry: int64, by event. Equal for events on one item that may meet in a history.
        stream: int64, by event. The order is known among events of one stream.
    """
    if not len(log.user):
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    # Whole numbers from 1 on in the order of weights and of days: 0 is before all of them.
    rank = np.unique(log.weight, return_inverse=True)[1] + 1
    with np.errstate(invalid="ignore"):
        whole = np.where(np.isfinite(log.ts), np.floor(log.ts / DAY_S), 0)
    day = np.unique(whole, return_inverse=True)[1] + 1
    part = np.unique(entry * (int(stream.max()) + 1) + stream, return_inverse=True)[1]
    rated = log.weight > 0
    possible, always = np.zeros((2, len(rated)), np.bool_)
    for places in (rank, day):
        value = np.where(rated, places, 0)
        own = _largest_before(part, value)
        possible |= places > own
        always |= places > np.maximum(own, _largest_elsewhere(entry, part, value))
    return rated & always, rated & possible


def _largest_elsewhere(entry: Longs, part: Longs, value: Longs) -> Longs:
    """Return the largest value of the same entry in another part; 0 without any.

    Args:
        entry: int64, by event; below the number of events.
        part: int64, by event; below the number of events. A part is of one entry.
        value: int64, by event, >= 0.
    """
    of_part, entry_of = np.zeros((2, len(part)), np.int64)
    np.maximum.at(of_part, part, value)
    entry_of[part] = entry
    # Of each entry the parts follow each other, the one with the largest value last.
    order = np.lexsort((of_part, entry_of))
    best, second = np.zeros((2, len(part)), np.int64)
    best[entry_of[order]] = order
    before = np.flatnonzero(entry_of[order[1:]] == entry_of[order[:-1]])
    second[entry_of[order[before]]] = of_part[order[before]]
    largest: Longs = np.where(best[entry] == part, second[entry], of_part[best[entry]])
    return largest


def _largest_before(group: Longs, value: Longs) -> Longs:
    """Return the largest value among the earlier events of the same group; 0 without any."""
    order = np.argsort(group, kind="stable")
    step = int(value.max()) + 1
    index = np.unique(group, return_inverse=True)[1][order].astype(np.int64)
    reached = np.maximum.accumulate(index * step + value[order])
    before = np.zeros(len(group), np.int64)
    same = index[1:] == index[:-1]
    before[1:][same] = reached[:-1][same] - index[1:][same] * step
    result = np.empty(len(group), np.int64)
    result[order] = before
    return result


def _least_first(
    log: LogInteractions, entry: Longs, stream: Longs, always: Bools, half_life_s: float
) -> Bools:
    """Return an interaction of each entry of which none surely adds.

    It is the one that adds least among the first ones of each stream.
    """
    chosen = np.zeros(len(log.user), np.bool_)
    rated = np.flatnonzero(log.weight > 0)
    if not len(rated):
        return chosen
    _, first = np.unique(entry[rated] * (int(stream.max()) + 1) + stream[rated], return_index=True)
    first = rated[first]
    adds = np.log2(log.weight[first]) + log.ts[first] / half_life_s
    first = first[np.lexsort((adds, entry[first]))]
    _, least = np.unique(entry[first], return_index=True)
    least = first[least]
    sure = np.zeros(len(log.user), np.bool_)
    sure[entry[always]] = True
    chosen[least[~sure[entry[least]]]] = True
    return chosen
