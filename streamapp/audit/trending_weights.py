"""What each interaction of a log adds to the popularity of its item.

With TRENDING_REPEATS=daily that depends on the order of the events that a user has on one item. The
log has the order of each topic, but none between two topics. So there are two bounds: what is added
in every order that the topics allow, and what is added in some.
"""

from collections.abc import Mapping

import numpy as np

from streamapp.audit.log import LogInteractions, TrendingWeights
from streamapp.audit.replay import DAY_S
from streamapp.audit.truth import depends_on_order, news_in_order
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
        log: All events; those of one user and one topic in the order in which they were applied.
        topic_of: The topic of each event type; types that are left out share one.
        half_life_s: Of the popularity; > 0.
        cap: Most entries of a history.
        forget_after_s: As in `live_ratings`.

    Cost: O(n log n), and a Python loop over the events of users whose history depends on the order.
    """
    topic = _topics(log, topic_of)
    of_nobody = log.user == (log.users.index(NOBODY) if NOBODY in log.users else -1)
    in_order = np.zeros(len(log.users), np.bool_)
    several = _several(log, topic)
    if len(log.user):
        in_order = depends_on_order(log, cap, forget_after_s)
        in_order[log.user[of_nobody]] = False
    always, possible = _news(log, topic)
    unclear = (in_order & several)[log.user]
    always[unclear], possible[unclear] = False, True
    for places, news in news_in_order(log, in_order & ~several, cap, forget_after_s):
        always[places] = possible[places] = news
    # The first interaction with an item always adds; it is the first one of some topic.
    always |= _least_first(log, topic, always, half_life_s)
    always |= of_nobody
    possible |= of_nobody
    return TrendingWeights(log.weight * always, log.weight * possible)


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


def _entries(log: LogInteractions) -> Longs:
    """Return a number for each pair of user and item, by event, below the number of events."""
    key = log.user.astype(np.int64) * (len(log.items) + 1) + log.item + 1
    number: Longs = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return number


def _news(log: LogInteractions, topic: Ints) -> tuple[Bools, Bools]:
    """Return which interactions are news in every order, and which in some, if nothing leaves.

    An interaction is news in some order if it is news when the other topics come after it. It is
    news in every order if it is news when the other topics come first.
    """
    size = len(log.user)
    if not size:
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    topics = int(topic.max()) + 1
    # Whole numbers from 1 on in the order of weights and of days: 0 is before all of them.
    rank = np.unique(log.weight, return_inverse=True)[1] + 1
    with np.errstate(invalid="ignore"):
        whole = np.where(np.isfinite(log.ts), np.floor(log.ts / DAY_S), 0)
    day = np.unique(whole, return_inverse=True)[1] + 1
    entry = _entries(log)
    group = entry * topics + topic
    rated = log.weight > 0
    always, possible = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    own, other = dict[str, Longs](), dict[str, Longs]()
    for name, places in (("rank", rank), ("day", day)):
        value = np.where(rated, places, 0)
        own[name] = _largest_before(group, value)
        in_topic = np.zeros((size, topics), np.int64)
        np.maximum.at(in_topic, (entry, topic), value)
        other[name] = np.zeros(size, np.int64)
        for number in range(topics):
            rest = np.delete(in_topic, number, 1).max(1, initial=0)
            other[name] = np.where(topic == number, rest[entry], other[name])
    possible = rated & ((rank > own["rank"]) | (day > own["day"]))
    always = possible & (
        (rank > np.maximum(own["rank"], other["rank"]))
        | (day > np.maximum(own["day"], other["day"]))
    )
    return always, possible


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


def _least_first(log: LogInteractions, topic: Ints, always: Bools, half_life_s: float) -> Bools:
    """Return an interaction of each pair of user and item of which none surely adds.

    It is the one that adds least among the first ones of each topic.
    """
    chosen = np.zeros(len(log.user), np.bool_)
    rated = np.flatnonzero(log.weight > 0)
    if not len(rated):
        return chosen
    entry = _entries(log)
    _, first = np.unique(entry[rated] * (int(topic.max()) + 1) + topic[rated], return_index=True)
    first = rated[first]
    adds = np.log2(log.weight[first]) + log.ts[first] / half_life_s
    first = first[np.lexsort((adds, entry[first]))]
    _, least = np.unique(entry[first], return_index=True)
    least = first[least]
    sure = np.zeros(len(log.user), np.bool_)
    sure[entry[always]] = True
    chosen[least[~sure[entry[least]]]] = True
    return chosen
