"""Compares the lists for users with the lists that true histories and item lists make.

The item lists are those in Redis; another comparison checks them against the true counts. The sum
is computed as the definition says, contribution by contribution.

With a tolerance, members, their order and `because` are those that the item lists in Redis make.
Scores may be older.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import orjson

from streamapp.audit.comparison import EXAMPLES, SCORE_TOLERANCE, TIE, Comparison, Difference
from streamapp.audit.log import LogInteractions
from streamapp.audit.truth import Ratings
from streamapp.core.list_kinds import USER
from streamapp.core.lists.blending import BlendRule
from streamapp.core.lists.list_format import VERSION
from streamapp.core.lists.reason_names import SIMILAR, TRENDING

Scores = dict[str, float]
"""Score by item id."""


@dataclass(frozen=True, slots=True)
class _Sum:
    """The true contents of a user's list.

    Attributes:
        total: Score of every item that may be listed; all over 0.
        parts: The scores that each item of the history adds, by that item.
        fill: The items that fill up a short list, if they are not in it yet.
    """

    total: Scores
    parts: dict[str, Scores]
    fill: list[str]


class ListUsers(NamedTuple):
    """Which users have a list.

    Attributes:
        current: The users who must have a list.
        expiring: The users whose list is being removed; they may have one.
        hidden: The items that each user has hidden.
    """

    current: set[str]
    expiring: set[str]
    hidden: Mapping[str, Collection[str]] = MappingProxyType({})


class StoredLists(NamedTuple):
    """Lists as Redis has them.

    Attributes:
        users: The value of the key of each user, in the order of the log; None if there is none.
        items: The value of the key of each item.
        trending: The value of the key of the trending list; b"" if there is none.
    """

    users: Sequence[bytes | None]
    items: Mapping[str, bytes | None]
    trending: bytes


class _Held(NamedTuple):
    """An entry of a history.

    Attributes:
        item: Its id.
        rating: The largest weight.
        weighs: The factor of its list, besides the weight of its position.
    """

    item: str
    rating: float
    weighs: float


class _Entry(NamedTuple):
    """An entry of a list."""

    item: str
    score: float
    reason: str
    because: str

    @property
    def order(self) -> tuple[float, bytes]:
        """The sort key of entries."""
        return -self.score, self.item.encode()


def compare_user_lists(
    log: LogInteractions,
    live: Ratings,
    users: ListUsers,
    lists: StoredLists,
    rule: BlendRule,
    tolerance: float = 0.0,
) -> Comparison:
    """Compare every user's list with the true one.

    Args:
        log: The interactions.
        live: The entries of all live histories.
        users: Which users have a list.
        lists: Theirs, and those that theirs are made of.
        rule: How a list is made.
        tolerance: The share of a listed score by which the true one may differ from it.

    Cost: O(users * depth * top_n), in Python.
    """
    decoded = {item: _scores(content) for item, content in lists.items.items() if content}
    filling = list(_scores(lists.trending))
    result = Comparison()
    histories = _histories(log, live)
    for number, (user, content) in enumerate(zip(log.users, lists.users, strict=True)):
        expected = _Sum({}, {}, [])
        if user in users.expiring:
            continue
        if user in users.current:
            out = users.hidden.get(user, ())
            expected = _blended(histories.get(number, []), decoded, filling, rule, out)
        result.compared += bool(expected.total or expected.fill)
        if why := _fault(user, content, expected, rule.top_n, tolerance):
            result.different += 1
            if len(result.examples) < EXAMPLES:
                best = sorted(expected.total, key=lambda item: -expected.total[item])[:3]
                wanted = ", ".join(f"{item} {expected.total[item]:.17g}" for item in best)
                result.examples.append(
                    Difference(f"list for {user}", why, f"{wanted} ..." if wanted else "no list")
                )
    return result


def _histories(log: LogInteractions, live: Ratings) -> dict[int, list[_Held]]:
    """Return by user number each live history, newest first."""
    entries: dict[int, list[tuple[float, bytes, _Held]]] = {}
    taste = live.rating
    if live.level is not None:
        largest = np.full(len(log.users), -np.inf)
        np.maximum.at(largest, live.user, live.level)
        taste = np.exp2(live.level - largest[live.user])
    columns = (column.tolist() for column in (live.user, live.item, live.rating, taste, live.ts))
    for user, item, rating, weighs, ts in zip(*columns, strict=True):
        name = log.items[item]
        entries.setdefault(user, []).append((ts, name.encode(), _Held(name, rating, weighs)))
    return {
        user: [held for _, _, held in sorted(some, reverse=True)] for user, some in entries.items()
    }


def _scores(content: bytes) -> Scores:
    """Return the scores of an item list; none if it is broken, which `compare_lists` reports."""
    try:
        return {entry["id"]: float(entry["score"]) for entry in orjson.loads(content)["items"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _blended(
    history: Sequence[_Held],
    lists: Mapping[str, Scores],
    filling: Sequence[str],
    rule: BlendRule,
    hidden: Collection[str],
) -> _Sum:
    excluded = {held.item for held in history if held.rating >= rule.exclude_from} | {*hidden}
    found = _Sum({}, {}, [item for item in filling if item not in excluded])
    weights = rule.weights(len(history)).tolist()
    for (item, _, weighs), weight in zip(history, weights, strict=False):
        factor = weight * (weighs if rule.rated else 1.0)
        parts = found.parts[item] = {}
        for other, score in lists.get(item, {}).items():
            part = factor * score
            if other not in excluded and part > 0:
                parts[other] = part
                found.total[other] = found.total.get(other, 0.0) + part
    return found


def _fault(user: str, content: bytes | None, expected: _Sum, top_n: int, tolerance: float) -> str:
    """Return the fault of a list; "" without one."""
    size = min(top_n, len(expected.total))
    wanted = bool(size or expected.fill)
    if content is None or not wanted:
        found = "a list" if content is not None else "no list"
        return "" if (content is not None) == wanted else found
    try:
        entries = _entries(user, content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    similar, rest = entries[:size], entries[size:]
    listed = {entry.item for entry in similar}
    if len(listed) != size or any(entry.reason != SIMILAR for entry in similar):
        return f"not {size} entries that are similar, or one of them twice"
    best = sorted(expected.total.values(), reverse=True)
    for place, entry in enumerate(similar):
        before = similar[place - 1] if place else None
        if reason := _misplaced(entry, before, best[place], expected, tolerance):
            return f"entry {place + 1}, {entry.item}, {reason}"
    fill = [item for item in expected.fill if item not in listed][: top_n - size]
    if rest != [_Entry(item, 0.0, TRENDING, "") for item in fill]:
        return f"filled with {', '.join(entry.item for entry in rest) or 'nothing'}"
    return ""


def _misplaced(
    entry: _Entry, before: _Entry | None, best: float, expected: _Sum, tolerance: float
) -> str:
    """Return why an entry is at a wrong rank; "" if it is right."""
    true = expected.total.get(entry.item, 0.0)
    if not abs(true - entry.score) <= SCORE_TOLERANCE * true + tolerance * abs(entry.score):
        return f"scores {entry.score:.17g} instead of {true:.17g}"
    if not abs(true - best) <= TIE * best:
        return "does not belong in this place"
    if before is not None and entry.order < before.order:
        return "is behind one that it should precede"
    most = max((parts.get(entry.item, 0.0) for parts in expected.parts.values()), default=0.0)
    part = expected.parts.get(entry.because, {}).get(entry.item, 0.0)
    if not part >= most * (1 - TIE):
        return f"is not there because of {entry.because} first of all"
    return ""


def _entries(user: str, content: bytes) -> list[_Entry]:
    value = orjson.loads(content)
    if (value["v"], value["kind"], value["id"]) != (VERSION, USER, user):
        raise ValueError("v, kind and id are not what the key says")
    return [
        _Entry(one["id"], float(one["score"]), one["reason"], one.get("because", ""))
        for one in value["items"]
    ]
