"""The slow truth: histories by the rule, counts as a dense product, lists by sorting everything.

Nothing here is fast. Nothing comes from the code under test, except the number of an order.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np

from streamapp.core.histories.marks import order_number


class Act(NamedTuple):
    """One event, as plain values.

    Attributes:
        user: The user.
        item: The item; "" where a refund names an order alone, or a user is forgotten.
        weight: Of its type; 0 where it counts as nothing.
        ts: Event time in seconds.
        kind: Its type; "" for that of the weight.
        order: The order of a purchase or a refund; "" for none.
        into: The user into whom this one is merged; "" for none.
    """

    user: str
    item: str
    weight: float
    ts: float
    kind: str = ""
    order: str = ""
    into: str = ""

    @property
    def type(self) -> str:
        """The type of the event."""
        return self.kind or TYPES.get(self.weight, str(self.weight))


TYPES = {1.0: "click", 3.0: "add_to_cart", 5.0: "purchase"}
"""The type by its weight."""

_TAKES = {"remove_from_cart": "add_to_cart", "refund": "purchase"}
_ORDERS_KEPT = 8


def other(left: str, right: str) -> bool:
    """Return whether one item may be in the list of the other: they differ."""
    return left != right


def bought_after_view(left: str, right: str) -> bool:
    """Return whether the list of a viewed item, `v:` and its id, may hold a bought item.

    A bought item is called `b:` and its id.
    """
    return left.startswith("v:") and right.startswith("b:") and left[2:] != right[2:]


def in_roles(act: Act) -> list[Act]:
    """Return the interactions of an event if items have roles; the heaviest are purchases."""
    if act.type in {"hide", "unhide"}:
        return []
    role = "b:" if act.type in {"purchase", "refund"} else "v:"
    item = role + act.item if act.item else ""
    return [act._replace(item=item, weight=float(act.weight > 0), kind=act.type)]


class History:
    """What one user did, event by event.

    Attributes:
        seen: (weight, time) of the newest event of each type and order, by item.
        hidden: The newest time at which each hidden item was hidden.
    """

    def __init__(self) -> None:
        self.seen: dict[str, dict[tuple[str, str], tuple[float, float]]] = {}
        self.hidden: dict[str, float] = {}

    @property
    def newest(self) -> float:
        """The newest time of all that is left."""
        return max(
            [*(self.ts(item) for item in self.seen), *self.hidden.values()], default=-math.inf
        )

    def rating(self, item: str) -> float:
        """The largest weight that is left of an item."""
        return max(weight for weight, _ in self.seen[item].values())

    def ts(self, item: str) -> float:
        """The newest time that is left of an item."""
        return max(ts for _, ts in self.seen[item].values())

    def take(self, act: Act, cap: int, forget_after_s: float) -> bool:
        """Take an event; return whether it adds to what trends where repeats add once a day."""
        if act.type == "forget" or act.ts - self.newest > forget_after_s:
            self.seen, self.hidden = {}, {}
        adds = act.weight > 0 and (
            act.item not in self.seen
            or act.weight > self.rating(act.item)
            or _day(act.ts) > _day(self.ts(act.item))
        )
        if act.type == "hide":
            self.hidden[act.item] = max(act.ts, self.hidden.get(act.item, act.ts))
            if len(self.hidden) > cap:
                del self.hidden[min(self.hidden, key=lambda one: (self.hidden[one], one.encode()))]
        elif act.type == "unhide":
            self.hidden.pop(act.item, None)
        elif act.type in _TAKES:
            for item in [act.item] if act.item else list(self.seen):
                left = {
                    (kind, order): mark
                    for (kind, order), mark in self.seen.get(item, {}).items()
                    if kind != _TAKES[act.type] or (act.order and order != act.order)
                }
                self.seen[item] = left
                if not left:
                    del self.seen[item]
        elif act.type != "forget":
            self._add(act, cap)
        return adds

    def _add(self, act: Act, cap: int) -> None:
        marks = self.seen.setdefault(act.item, {})
        name = act.type, act.order if act.type == "purchase" else ""
        weight, ts = marks.get(name, (act.weight, act.ts))
        marks[name] = max(weight, act.weight), max(ts, act.ts)
        orders = [name for name in marks if name[1]]
        if len(orders) > _ORDERS_KEPT:
            del marks[min(orders, key=lambda name: (marks[name][1], order_number(name[1])))]
        while len(self.seen) > cap:
            del self.seen[min(self.seen, key=lambda one: (self.ts(one), one.encode()))]

    def union(self, other: "History", cap: int, forget_after_s: float) -> "History":
        """Return what this one and another one hold together."""
        joint = History()
        is_new = other.newest - self.newest > forget_after_s
        for one in [other] if is_new else [self, other]:
            for item, marks in one.seen.items():
                own = joint.seen.setdefault(item, {})
                for name, (weight, ts) in marks.items():
                    before = own.get(name, (weight, ts))
                    own[name] = max(weight, before[0]), max(ts, before[1])
            for item, ts in one.hidden.items():
                joint.hidden[item] = max(ts, joint.hidden.get(item, ts))
        for marks in joint.seen.values():
            orders = [name for name in marks if name[1]]
            orders.sort(key=lambda name: (marks[name][1], order_number(name[1])))
            for name in orders[: max(0, len(orders) - _ORDERS_KEPT)]:
                del marks[name]
        while len(joint.seen) > cap:
            del joint.seen[min(joint.seen, key=lambda one: (joint.ts(one), one.encode()))]
        while len(joint.hidden) > cap:
            del joint.hidden[min(joint.hidden, key=lambda one: (joint.hidden[one], one.encode()))]
        return joint


def _day(ts: float) -> date:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(ts, UTC).date()


def daily(acts: list[Act], cap: int, forget_after_s: float = math.inf) -> list[bool]:
    """Return of each act whether it adds to what trends where repeats add once a day."""
    found: dict[str, History] = {}
    return [_follow(found, act, cap, forget_after_s) for act in acts]


def users(acts: list[Act], cap: int, forget_after_s: float = math.inf) -> dict[str, History]:
    """Return what each user did."""
    found: dict[str, History] = {}
    for act in acts:
        _follow(found, act, cap, forget_after_s)
    return found


def _follow(found: dict[str, History], act: Act, cap: int, forget_after_s: float) -> bool:
    """Take an event of any user; return whether it adds to what trends."""
    if not act.into:
        return found.setdefault(act.user, History()).take(act, cap, forget_after_s)
    leaving = found.pop(act.user, History())
    found[act.into] = found.get(act.into, History()).union(leaving, cap, forget_after_s)
    return False


def histories(
    acts: list[Act], cap: int, forget_after_s: float = math.inf
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return each user's history, item -> (rating, last time)."""
    return {
        user: {item: (one.rating(item), one.ts(item)) for item in one.seen}
        for user, one in users(acts, cap, forget_after_s).items()
    }


def gram(
    acts: list[Act], cap: int, forget_after_s: float = math.inf
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return (items, R^T R, B^T B): all dots and supports, dense, norms on the diagonal."""
    kept = histories(acts, cap, forget_after_s)
    items = sorted({item for history in kept.values() for item in history}, key=str.encode)
    ratings = np.zeros((len(kept), len(items)))
    for row, history in enumerate(kept.values()):
        for item, (rating, _) in history.items():
            ratings[row, items.index(item)] = rating
    held = (ratings > 0).astype(float)
    return items, ratings.T @ ratings, held.T @ held


def score_by_users(measure: str, left: set[str], right: set[str], damping: float) -> float:
    """Return the score of an item in another's list from the users of each, the list's item first.

    Raises:
        KeyError: the measure does not count users.
    """
    of = {"jaccard": left | right, "confidence": left}[measure]
    return len(left & right) / (len(of) + damping)


def lists(
    acts: list[Act],
    cap: int,
    top_n: int,
    damping: float = 0.0,
    min_support: int = 1,
    measure: str = "cosine",
    hidden: Collection[str] = (),
    pairs: Callable[[str, str], bool] = other,
    forget_after_s: float = math.inf,
) -> dict[str, list[tuple[str, float, int]]]:
    """Return the list of every item that has neighbours: (item, score, support), best first."""
    items, dots, supports = gram(acts, cap, forget_after_s)
    kept = histories(acts, cap, forget_after_s)
    having = [{user for user, history in kept.items() if item in history} for item in items]

    def score(i: int, j: int) -> float:
        if measure == "cosine":
            norms = (dots[i, i] + damping) * (dots[j, j] + damping)
            return float(dots[i, j] / np.sqrt(norms))
        return score_by_users(measure, having[i], having[j], damping)

    result: dict[str, list[tuple[str, float, int]]] = {}
    for i, item in enumerate(items):
        scored = [
            (entry, score(i, j), int(supports[i, j]))
            for j, entry in enumerate(items)
            if pairs(item, entry) and supports[i, j] >= min_support and entry not in hidden
        ]
        scored.sort(key=lambda entry: (-entry[1], entry[0].encode()))
        if scored:
            result[item] = scored[:top_n]
    return result


def faded(
    acts: list[Act],
    cap: int,
    half_life_s: float,
    top_n: int,
    min_support: int = 1,
    forgotten: Collection[str] = (),
    forget_after_s: float = math.inf,
) -> dict[str, list[tuple[str, float, int]]]:
    """Return the lists as `lists` does if interactions fade: a rating is the largest faded weight.

    In 40 decimal digits, from the beginning of unix time. `forgotten` are users without a history.
    """
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 40, 10**9, -(10**9)
        half_life = Decimal(half_life_s)
        worth = [
            act._replace(
                weight=Decimal(act.weight) * Decimal(2) ** (Decimal(act.ts) / half_life),  # type: ignore[arg-type]
                kind=act.type,
            )
            for act in acts
        ]
        kept = histories(worth, cap, forget_after_s)
        ratings = {
            user: {item: Decimal(rating) for item, (rating, _) in history.items()}
            for user, history in kept.items()
            if user not in forgotten
        }
        items = sorted({item for history in ratings.values() for item in history}, key=str.encode)

        def dot(left: str, right: str) -> Decimal:
            both = [one for one in ratings.values() if left in one and right in one]
            return sum((one[left] * one[right] for one in both), Decimal(0))

        norms = {item: dot(item, item) for item in items}
        result: dict[str, list[tuple[str, float, int]]] = {}
        for item in items:
            scored = [
                (other, dot(item, other) / (norms[item] * norms[other]).sqrt(), support)
                for other in items
                if other != item
                and (support := sum(item in one and other in one for one in ratings.values()))
                >= min_support
            ]
            scored.sort(key=lambda entry: (-entry[1], entry[0].encode()))
            if scored:
                result[item] = [(other, float(score), n) for other, score, n in scored[:top_n]]
    return result


def trends(
    acts: list[Act],
    half_life_s: float,
    top_n: int,
    category_of: Mapping[str, str],
    hidden: Collection[str] = (),
) -> dict[str, list[tuple[str, float]]]:
    """Return the trending items of each category, best first: (item, popularity at the end)."""
    newest = max((act.ts for act in acts), default=0.0)
    parts: dict[str, list[float]] = {}
    for act in acts:
        faded = act.weight * 2 ** ((act.ts - newest) / half_life_s)
        parts.setdefault(act.item, []).append(faded)
    result: dict[str, list[tuple[str, float]]] = {}
    for item, some in parts.items():
        if category_of.get(item) and item not in hidden:
            result.setdefault(category_of[item], []).append((item, math.fsum(some)))
    return {
        category: sorted(some, key=lambda one: (-one[1], one[0].encode()))[:top_n]
        for category, some in result.items()
    }


def content(
    item: str, available: Mapping[str, bool], texts: Mapping[str, str]
) -> list[tuple[str, float]]:
    """Return the content neighbours of a product: (item, score), best first, without a limit.

    Args:
        item: The product.
        available: For every product, whether it may be in a list.
        texts: Title and category of each, joined.
    """
    words = {name: re.findall(r"\w+", text.casefold()) for name, text in texts.items()}

    def weight(name: str, word: str) -> float:
        having = sum(word in some for some in words.values())
        return words[name].count(word) * (math.log((1 + len(words)) / (1 + having)) + 1)

    def dot(left: str, right: str) -> float:
        both = sorted({*words[left]} & {*words[right]})
        return math.fsum(weight(left, word) * weight(right, word) for word in both)

    scored = [
        (name, score / math.sqrt(dot(item, item) * dot(name, name)))
        for name in texts
        if name != item and available[name] and (score := dot(item, name))
    ]
    return sorted(scored, key=lambda one: (-one[1], one[0].encode()))
