"""Compares the trending lists with the popularity of items in the log.

The popularity is summed relative to the time of the list, interaction by interaction. All
popularity decays alike, so a list that says less about an older time than LIST_TOLERANCE allows is
as right as a new one. Where the log does not say in which order events came, the popularity has a
least and a most value, and a list is right if some order makes it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np
import orjson

from streamapp.audit.comparison import EXAMPLES, SCORE_TOLERANCE, Comparison, Difference
from streamapp.audit.log import LogInteractions, TrendingWeights
from streamapp.core.arrays.array_types import Floats
from streamapp.core.list_kinds import TRENDING
from streamapp.core.lists.list_format import VERSION
from streamapp.core.trending.popularity import FADED, MOST_HALF_LIVES


class _Truth(NamedTuple):
    """The popularity of every item that may be in a list: the least that it may be, and the most.

    They differ where the log does not say in which order a user's events came.
    """

    least: dict[str, float]
    most: dict[str, float]

    @classmethod
    def of(cls, items: Iterable[tuple[str, float, float]]) -> Self:
        """Return the truth, given item, least and most; an item that has faded is in no list."""
        shown = [one for one in items if one[2] >= FADED]
        return cls(
            {item: least for item, least, _ in shown}, {item: most for item, _, most in shown}
        )

    def sizes(self, top_n: int) -> tuple[int, int]:
        """Return the fewest and the most entries of a list."""
        sure = sum(least >= FADED for least in self.least.values())
        return min(top_n, sure), min(top_n, len(self.most))


def compare_trending(
    log: LogInteractions,
    content: bytes,
    half_life_s: float,
    top_n: int,
    hidden: Collection[str] = (),
    tolerance: float = 0.0,
) -> Comparison:
    """Compare the list with the true one.

    Args:
        log: The interactions.
        content: The value of the key; b"" if there is none.
        half_life_s: Half-life of the popularity; 0 if there must be no list.
        top_n: Most entries of the list.
        hidden: Items that the list must not show.
        tolerance: The share of a listed score by which the true one may differ from it. If it is
            0, the list must be as of the newest event that adds to any item.

    Cost: O(interactions + items log items).
    """
    truth = _Truth({}, {})
    weights = log.trending or TrendingWeights.exactly(log.weight)
    newest, latest_ts = (_newest(log, weight) for weight in weights)
    times = newest - _most_age_s(half_life_s, tolerance), latest_ts
    if half_life_s and len(log.ts):
        at = np.clip(_as_of(content, latest_ts), *times)
        share = np.exp2((log.ts - at) / half_life_s)
        least, most = (
            np.bincount(log.item, weight * share, len(log.items)).tolist() for weight in weights
        )
        truth = _Truth.of(
            one for one in zip(log.items, least, most, strict=True) if one[0] not in hidden
        )
    if why := _fault(content, truth, "", times, top_n, tolerance):
        return Comparison(1, 1, [Difference("list of what is trending", why, _best(truth.most))])
    return Comparison(int(bool(truth.most)))


def compare_categories(
    log: LogInteractions,
    lists: Mapping[str, bytes],
    category_of: Mapping[str, str],
    half_life_s: float,
    top_n: int,
    hidden: Collection[str],
    tolerance: float = 0.0,
) -> Comparison:
    """Compare the list of every category with the true one.

    Without a tolerance, a list is as of some event that is not older than the events behind it,
    because the worker looks at a category when an event changes it. The truth is computed for the
    time of the list.

    Args:
        log: The interactions.
        lists: The values of the keys of the lists, by category.
        category_of: The category of every item of the catalogue; "" for none.
        half_life_s: Half-life of the popularity; 0 if there must be no lists.
        top_n: Most entries of a list.
        hidden: Items that no list shows.
        tolerance: The share of a listed score by which the true one may differ from it.

    Cost: O(interactions + items log items).
    """
    shown = {
        number: category_of[item]
        for number, item in enumerate(log.items)
        if half_life_s and category_of.get(item) and item not in hidden
    }
    names = sorted({*shown.values(), *lists})
    place = {name: number for number, name in enumerate(names)}
    category = np.full(len(log.items), -1)
    category[list(shown)] = [place[name] for name in shown.values()]
    behind = category[log.item] >= 0
    item, ts = log.item[behind], log.ts[behind]
    weights = log.trending or TrendingWeights.exactly(log.weight)
    newest, sure = np.full(len(names), -np.inf), weights.least[behind] > 0
    np.maximum.at(newest, category[item[sure]], ts[sure])
    latest_ts = _newest(log, weights.most)
    earliest = newest - _most_age_s(half_life_s, tolerance)
    as_of = np.array([_as_of(lists.get(name, b""), latest_ts) for name in names])
    at = np.clip(as_of, earliest, latest_ts)[category[item]]
    share = np.exp2((ts - at) / (half_life_s or 1.0))
    least, most = (
        np.bincount(item, weight[behind] * share, len(log.items)).tolist() for weight in weights
    )
    popularity: dict[str, list[tuple[str, float, float]]] = {name: [] for name in names}
    for number, name in shown.items():
        popularity[name].append((log.items[number], least[number], most[number]))
    truth = {name: _Truth.of(some) for name, some in popularity.items()}
    result = Comparison()
    for name, earliest_ts in zip(names, earliest.tolist(), strict=True):
        result.compared += bool(truth[name].most)
        times = earliest_ts, latest_ts
        if why := _fault(lists.get(name, b""), truth[name], name, times, top_n, tolerance):
            result.different += 1
            if len(result.examples) < EXAMPLES:
                where = f"list of what is trending in {name}"
                result.examples.append(Difference(where, why, _best(truth[name].most)))
    return result


def _best(truth: Mapping[str, float]) -> str:
    best = sorted(truth, key=lambda item: -truth[item])[:3]
    return ", ".join(f"{item} {truth[item]:.17g}" for item in best) or "no list"


def _newest(log: LogInteractions, weight: Floats) -> float:
    """Return the newest time of an interaction that adds, in seconds; 0 without any."""
    return float(log.ts[weight > 0].max(initial=0.0))


def _most_age_s(half_life_s: float, tolerance: float) -> float:
    """Return how many seconds `as_of` may be older than without a tolerance."""
    return MOST_HALF_LIVES * half_life_s if tolerance else 0.0


def _as_of(content: bytes, otherwise: float) -> float:
    """Return the time of a list, or another one if it has none; `_fault` reports that."""
    try:
        return float(orjson.loads(content)["as_of"])
    except (ValueError, KeyError, TypeError):
        return otherwise


def _fault(
    content: bytes,
    truth: _Truth,
    category: str,
    times: tuple[float, float],
    top_n: int,
    tolerance: float,
) -> str:
    """Return the fault of a list; "" without one.

    Args:
        content: The list; b"" for none.
        truth: The popularity of every item that may be in it.
        category: Its id.
        times: The earliest and the latest allowed `as_of`.
        top_n: Most entries.
        tolerance: The share of a listed score by which the true one may differ from it.
    """
    fewest, largest = truth.sizes(top_n)
    if not content:
        return "no list" if fewest else ""
    try:
        value = orjson.loads(content)
        found = [(entry["id"], float(entry["score"])) for entry in value["items"]]
        about, as_of = (value["v"], value["kind"], value["id"]), float(value["as_of"])
    except (ValueError, KeyError, TypeError) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    size = min(max(len(found), fewest), largest)
    faults = {
        f"v, kind and id are {about}": about != (VERSION, TRENDING, category),
        f"as_of is {as_of}, the newest event is of {times[1]}": not times[0] <= as_of <= times[1],
        f"{len(found)} entries instead of {size}, or one of them twice": (
            not len({item for item, _ in found}) == len(found) == size
        ),
        "entries are not in the order of their scores and ids": (
            found != sorted(found, key=lambda entry: (-entry[1], entry[0].encode()))
        ),
    }
    best = (sorted(some.values(), reverse=True) for some in truth)
    for (item, score), low, high in zip(found, *best, strict=False):
        least, most = truth.least.get(item, 0.0), truth.most.get(item, 0.0)
        rounding = SCORE_TOLERANCE * high
        slack = rounding + tolerance * abs(score)
        faults[f"{item} scores {score:.17g} instead of {most:.17g}"] = not (
            least - slack <= score <= most + slack
        )
        faults[f"{item} is where {high:.17g} belongs"] = not (
            low - rounding <= most and least <= high + rounding
        )
    return next((why for why, holds in faults.items() if holds), "")
