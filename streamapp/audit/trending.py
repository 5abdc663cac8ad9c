"""Compares the trending lists with the popularity of items in the log.

The popularity is summed relative to the time of the list, interaction by interaction. All
popularity decays alike, so a list that says less about an older time than LIST_TOLERANCE allows is
as right as a new one.
"""

from collections.abc import Collection, Mapping

import numpy as np
import orjson

from streamapp.audit.comparison import EXAMPLES, SCORE_TOLERANCE, Comparison, Difference
from streamapp.audit.log import LogInteractions
from streamapp.core.list_kinds import TRENDING
from streamapp.core.lists.list_format import VERSION
from streamapp.core.trending.popularity import FADED, MOST_HALF_LIVES


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
            0, the list must be as of the newest event.

    Cost: O(interactions + items log items).
    """
    truth: dict[str, float] = {}
    latest_ts = float(log.ts.max(initial=0.0))
    times = latest_ts - _most_age_s(half_life_s, tolerance), latest_ts
    if half_life_s and len(log.ts):
        at = np.clip(_as_of(content, latest_ts), *times)
        faded = log.weight * np.exp2((log.ts - at) / half_life_s)
        popularity = np.bincount(log.item, faded, len(log.items))
        pairs = zip(log.items, popularity.tolist(), strict=True)
        truth = {
            item: popular for item, popular in pairs if popular >= FADED and item not in hidden
        }
    if why := _fault(content, truth, "", times, top_n, tolerance):
        return Comparison(1, 1, [Difference("list of what is trending", why, _best(truth))])
    return Comparison(int(bool(truth)))


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
    item, weight, ts = log.item[behind], log.weight[behind], log.ts[behind]
    newest = np.full(len(names), -np.inf)
    np.maximum.at(newest, category[item], ts)
    latest_ts = float(log.ts.max(initial=0.0))
    earliest = newest - _most_age_s(half_life_s, tolerance)
    as_of = np.array([_as_of(lists.get(name, b""), latest_ts) for name in names])
    at = np.clip(as_of, earliest, latest_ts)[category[item]]
    faded = weight * np.exp2((ts - at) / (half_life_s or 1.0))
    popularity = np.bincount(item, faded, len(log.items)).tolist()
    truth: dict[str, dict[str, float]] = {name: {} for name in names}
    for number, name in shown.items():
        if popularity[number] >= FADED:
            truth[name][log.items[number]] = popularity[number]
    result = Comparison()
    for name, earliest_ts in zip(names, earliest.tolist(), strict=True):
        result.compared += bool(truth[name])
        times = earliest_ts, latest_ts
        if why := _fault(lists.get(name, b""), truth[name], name, times, top_n, tolerance):
            result.different += 1
            if len(result.examples) < EXAMPLES:
                where = f"list of what is trending in {name}"
                result.examples.append(Difference(where, why, _best(truth[name])))
    return result


def _best(truth: Mapping[str, float]) -> str:
    best = sorted(truth, key=lambda item: -truth[item])[:3]
    return ", ".join(f"{item} {truth[item]:.17g}" for item in best) or "no list"


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
    truth: Mapping[str, float],
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
    size = min(top_n, len(truth))
    if not content:
        return "no list" if size else ""
    try:
        value = orjson.loads(content)
        found = [(entry["id"], float(entry["score"])) for entry in value["items"]]
        about, as_of = (value["v"], value["kind"], value["id"]), float(value["as_of"])
    except (ValueError, KeyError, TypeError) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    best = sorted(truth.values(), reverse=True)
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
    for (item, score), wanted in zip(found, best, strict=False):
        true, most = truth.get(item, 0.0), SCORE_TOLERANCE * wanted
        faults[f"{item} scores {score:.17g} instead of {true:.17g}"] = not (
            abs(score - true) <= most + tolerance * abs(score)
        )
        faults[f"{item} is where {wanted:.17g} belongs"] = not abs(true - wanted) <= most
    return next((why for why, holds in faults.items() if holds), "")
