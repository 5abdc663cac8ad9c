"""Histories by hand: the events of one user, and what is stored of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamapp.core.histories.event_types import EventTypes
from streamapp.core.histories.history import Interactions
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import entries, unpacked
from streamapp.core.ids.registry import Registry

TYPES = EventTypes.of({"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0})
USERS = EventTypes.of({"click": 1.0, "add_to_cart": 1.0, "purchase": 1.0})
"""The types where each counts a user."""

_BY_WEIGHT = {1.0: "click", 3.0: "add_to_cart", 5.0: "purchase"}


def rule(cap: int, types: EventTypes = TYPES, **chosen: Any) -> HistoryRule:
    """Return a history rule."""
    return HistoryRule(types, cap, **chosen)


def one_user(registry: Registry, acts: Sequence[tuple[str, float, float]]) -> Interactions:
    """Return acts of one user: (item, weight, ts)."""
    return Interactions(
        starts=np.array([0, len(acts)], np.int64),
        item=registry.number([item for item, _, _ in acts]),
        type=TYPES.numbers([_BY_WEIGHT[weight] for _, weight, _ in acts]),
        ts=np.array([ts for _, _, ts in acts], np.float64),
        order=np.zeros(len(acts)),
    )


def read(
    history: bytes, registry: Registry, by: HistoryRule
) -> dict[str, tuple[float, float, float]]:
    """Return the entries of a stored history: by item the largest weight, rating and time."""
    _, item, weight, rating, ts, _, _ = entries(
        *unpacked([history], by, registry), by.types.weight, by.base, by.half_life_s
    )
    columns = weight.tolist(), rating.tolist(), ts.tolist()
    names = [registry.ids[number] for number in item.tolist()]
    return dict(zip(names, zip(*columns, strict=True), strict=True))
