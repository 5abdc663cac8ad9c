"""Histories of an older version, which knew ratings instead of the types behind them.

An entry becomes the mark of the type whose weight is the rating. The order of a purchase is not
known. A history is read in this way until its user's next event, which stores it in the new form.
"""

from typing import Any

import numpy as np

from streamapp.core.histories.decay import Decay
from streamapp.core.histories.event_types import ORDER_CODE, PURCHASE, TAKES_BACK, UNKNOWN_ORDER
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.ids.registry import Registry

ENTRY = np.dtype([("item", "<i4"), ("rating", "<f8"), ("ts", "<f8")])
"""One entry of a history, 20 bytes."""

DECAYED_ENTRY = np.dtype([*ENTRY.descr, ("weight", "<f8")])
"""One entry of a history with decay, 28 bytes.

Its rating is a level. Its weight is the largest since the item entered, without decay."""

_BOUGHT = "b:"
"""The role of a bought item, before its id."""

_STEPS = 4
"""Neighbours of a time, in steps of a float64, that may have given a level to the last bit."""


def entry_of(decay: Decay | None) -> np.dtype[Any]:
    """Return the type of a stored entry."""
    return DECAYED_ENTRY if decay else ENTRY


def newest_entry_ts(history: bytes, decay: Decay | None) -> float:
    """Return the newest time of a history, which is not empty, in seconds."""
    return float(np.frombuffer(history, entry_of(decay))["ts"].max())


def marks_of(
    history: bytes, rule: HistoryRule, registry: Registry
) -> tuple[list[int], list[int], list[float]]:
    """Return the items, types and values of the marks that entries become.

    Args:
        history: Packed by `entry_of`.
        rule: Of the types that it has seen.
        registry: The items' ids.

    Cost: some microseconds an entry.
    """
    items: list[int] = []
    types: list[int] = []
    values: list[float] = []
    for entry in np.frombuffer(history, entry_of(rule.decay)):
        item, ts = int(entry["item"]), float(entry["ts"])
        weight = float(entry["weight"] if rule.decay else entry["rating"])
        event_type = _type_of(weight, rule, _is_bought(registry, item))
        marks = [(event_type, ts)]
        if rule.decay:
            marks = _faded_marks(event_type, ts, float(entry["rating"]), rule)
        for number, at in marks:
            items.append(item)
            types.append(number)
            values.append(at)
            if rule.types.names[number] == PURCHASE:
                items.append(item)
                types.append(ORDER_CODE)
                values.append(UNKNOWN_ORDER)
    return items, types, values


def _is_bought(registry: Registry, item: int) -> bool:
    return bool(registry.prefix_bytes) and registry.ids[item].startswith(_BOUGHT)


def _type_of(weight: float, rule: HistoryRule, bought: bool) -> int:
    """Return the type of a weight; of several, a purchase if that is known, else one that stays."""
    apart = [abs(one - weight) for one in rule.types.weights]
    near = [number for number, distance in enumerate(apart) if distance == min(apart)]
    purchase = rule.types.find(PURCHASE)
    if bought and purchase in near:
        return purchase
    stays = [number for number in near if rule.types.names[number] not in TAKES_BACK.values()]
    return (stays or near)[0]


def _faded_marks(
    heaviest: int, ts: float, level: float, rule: HistoryRule
) -> list[tuple[int, float]]:
    """Return marks with this level and this newest time; `heaviest` is the heaviest type.

    Where the newest event was not of that type, it was of a lighter one.
    """
    base, half_life_s = rule.base, rule.half_life_s

    def has_level(number: int, at: float) -> bool:
        return bool(base[number] + at / half_life_s == level)

    if has_level(heaviest, ts):
        return [(heaviest, ts)]
    by_weight = sorted(range(len(base)), key=base.__getitem__)
    lighter = [number for number in by_weight if base[number] < base[heaviest]]
    newest = [number for number in lighter if has_level(number, ts)] or lighter
    at = float((level - base[heaviest]) * half_life_s)
    below = above = at
    near = [at]
    for _ in range(_STEPS):
        below, above = np.nextafter(below, -np.inf), np.nextafter(above, np.inf)
        near += [float(below), float(above)]
    at = next((one for one in near if has_level(heaviest, one)), at)
    return [(heaviest, at), *((number, ts) for number in newest[:1])]
