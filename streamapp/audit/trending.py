"""Audit. Compares the list of what is trending with the popularity that the log gives.

The popularity is summed here relative to the newest event, one interaction after the other.
"""

from collections.abc import Collection

import numpy as np
import orjson

from streamapp.audit.comparison import Comparison, Difference
from streamapp.audit.lists import SCORE_TOLERANCE
from streamapp.audit.log import LogInteractions
from streamapp.core.listing import TRENDING, VERSION
from streamapp.core.popularity import FADED


def compare_trending(
    log: LogInteractions,
    content: bytes,
    half_life_s: float,
    top_n: int,
    hidden: Collection[str] = (),
) -> Comparison:
    """Compare the list with the true one.

    Args:
        log: The interactions.
        content: What lies under the key; b"" for nothing.
        half_life_s: Of the popularity; 0 where there is to be no list.
        top_n: Most entries of the list.
        hidden: Items that it does not show.

    Cost: O(interactions + items log items).
    """
    truth: dict[str, float] = {}
    if half_life_s and len(log.ts):
        faded = log.weight * np.exp2((log.ts - log.ts.max()) / half_life_s)
        popularity = np.bincount(log.item, faded, len(log.items))
        pairs = zip(log.items, popularity.tolist(), strict=True)
        truth = {
            item: popular for item, popular in pairs if popular >= FADED and item not in hidden
        }
    if why := _fault(content, truth, float(log.ts.max(initial=0.0)), top_n):
        best = sorted(truth, key=lambda item: -truth[item])[:3]
        expected = ", ".join(f"{item} {truth[item]:.17g}" for item in best) or "no list"
        return Comparison(1, 1, [Difference("list of what is trending", why, expected)])
    return Comparison(int(bool(truth)))


def _fault(content: bytes, truth: dict[str, float], newest_ts: float, top_n: int) -> str:
    """Return what is wrong with the list; "" if nothing is."""
    size = min(top_n, len(truth))
    if not content:
        return "no list" if size else ""
    try:
        value = orjson.loads(content)
        found = [(entry["id"], float(entry["score"])) for entry in value["items"]]
        about = value["v"], value["kind"], value["as_of"]
    except (ValueError, KeyError, TypeError) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    best = sorted(truth.values(), reverse=True)
    faults = {
        f"v, kind and as_of are {about}, the newest event is of {newest_ts}": (
            about != (VERSION, TRENDING, newest_ts)
        ),
        f"{len(found)} entries instead of {size}, or one of them twice": (
            not len({item for item, _ in found}) == len(found) == size
        ),
        "entries are not in the order of their scores and ids": (
            found != sorted(found, key=lambda entry: (-entry[1], entry[0].encode()))
        ),
    }
    for (item, score), wanted in zip(found, best, strict=False):
        true, most = truth.get(item, 0.0), SCORE_TOLERANCE * wanted
        faults[f"{item} scores {score:.17g} instead of {true:.17g}"] = not abs(score - true) <= most
        faults[f"{item} stands where {wanted:.17g} belongs"] = not abs(true - wanted) <= most
    return next((why for why, holds in faults.items() if holds), "")
