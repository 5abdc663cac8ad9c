"""The interactions of an event log, by the rules of the app."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from streamapp.audit.event_bounds import EventBounds, LoggedInteraction
from streamapp.core.arrays.array_types import Bools, Floats, Ints
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.interaction_sink import NO_ITEM, NOBODY
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.events.rules import EventRules
from streamapp.core.histories.event_types import FORGET, MERGE
from streamapp.errors import BadEventError, ConfigError
from streamapp.eventlog import LoggedEvent


class TrendingWeights(NamedTuple):
    """Bounds of what interactions add.

    Attributes:
        least: float64, by interaction.
        most: float64, by interaction. Equal to `least` where the order is known, or says nothing.
    """

    least: Floats
    most: Floats

    @classmethod
    def exactly(cls, weight: Floats) -> Self:
        """Return bounds that are equal."""
        return cls(weight, weight)

    def only(self, chosen: Bools) -> Self:
        """Return the bounds of some interactions."""
        return type(self)(self.least[chosen], self.most[chosen])


@dataclass(frozen=True, slots=True)
class LogInteractions:
    """The interactions of the events of a log, in the order of the log.

    Attributes:
        users: User ids by number, in order of first appearance.
        items: Item ids by number, in order of first appearance.
        user: int32, shape (interactions,). User numbers.
        item: int32. Item numbers; -1 where an event names no item.
        weight: float64. 0 of an event that takes back, hides or forgets.
        ts: float64. Event time in seconds.
        skipped: Events of unknown type, by type.
        refused: Events that become dead letters, by error code.
        extra: The interactions of each extra kind of lists.
        newest_elsewhere: Newest time of interactions that were left out, in seconds.
        kinds: Event types by number, in order of first appearance.
        kind: int32. Numbers of event types; None if the weight says everything.
        order: float64. Numbers of orders; None without any.
        into: int32. Of a merge, the user who takes the history over, else -1; None without any.
        trending: What interactions add to trending items; None: their weights.
    """

    users: list[str]
    items: list[str]
    user: Ints
    item: Ints
    weight: Floats
    ts: Floats
    skipped: dict[str, int]
    refused: dict[str, int]
    extra: "dict[str, LogInteractions]" = field(default_factory=dict)
    newest_elsewhere: float = -np.inf
    kinds: list[str] = field(default_factory=list)
    kind: Ints | None = None
    order: Floats | None = None
    into: Ints | None = None
    trending: TrendingWeights | None = None

    @property
    def newest_ts(self) -> float:
        """Newest event time in seconds, also of events that were left out; -inf without any."""
        return max(float(self.ts.max(initial=-np.inf)), self.newest_elsewhere)

    def paired(self) -> "LogInteractions":
        """Return the interactions of users: those of nobody count for popularity alone."""
        if NOBODY not in self.users:
            return self
        nobody = self.users.index(NOBODY)
        kept = self._only(self.user != nobody)
        users = [user for user in self.users if user != NOBODY]
        into = None if kept.into is None else kept.into - (kept.into > nobody)
        return replace(kept, users=users, user=kept.user - (kept.user > nobody), into=into)

    def rated(self) -> "LogInteractions":
        """Return the interactions that count: none takes back, hides or forgets."""
        rated = self.weight > 0
        return self if rated.all() else self._only(rated)

    def _only(self, chosen: Bools) -> "LogInteractions":
        return replace(
            self,
            user=self.user[chosen],
            item=self.item[chosen],
            weight=self.weight[chosen],
            ts=self.ts[chosen],
            newest_elsewhere=self.newest_ts,
            kind=None if self.kind is None else self.kind[chosen],
            order=None if self.order is None else self.order[chosen],
            into=None if self.into is None else self.into[chosen],
            trending=None if self.trending is None else self.trending.only(chosen),
        )


@dataclass(slots=True)
class _Unkeyed:
    """The record of a logged event, which has a time of its own and no key."""

    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None


class _Taken:
    """Collects interactions as columns."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.users: dict[str, int] = {}
        self.items: dict[str, int] = {}
        self.kinds: dict[str, int] = {}
        self.user, self.item, self.kind = array("i"), array("i"), array("i")
        self.weight, self.ts, self.order = array("d"), array("d"), array("d")
        self.into: dict[int, int] = {}
        self.skipped: Counter[str] = Counter()
        self._weights = weights

    def add(
        self, offset: int, user: str, item: str, event_type: str, ts: float, order: float = 0.0
    ) -> None:
        self.user.append(self.users.setdefault(user, len(self.users)))
        self.item.append(self.items.setdefault(item, len(self.items)) if item != NO_ITEM else -1)
        self.kind.append(self.kinds.setdefault(event_type, len(self.kinds)))
        self.weight.append(self._weights.get(event_type, 0.0))
        self.ts.append(ts)
        self.order.append(order)

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        if into:
            self.into[len(self.user)] = self.users.setdefault(into, len(self.users))
        self.add(offset, user, NO_ITEM, MERGE if into else FORGET, -math.inf)

    def skip(self, offset: int, user: str, event_type: str) -> None:
        self.skipped[event_type] += 1

    def interactions(
        self, refused: Mapping[str, int], extra: dict[str, LogInteractions]
    ) -> LogInteractions:
        """Return the collected interactions."""
        into = None
        if self.into:
            into = np.full(len(self.user), -1, np.int32)
            into[list(self.into)] = list(self.into.values())
        return LogInteractions(
            list(self.users),
            list(self.items),
            np.frombuffer(self.user, np.int32),
            np.frombuffer(self.item, np.int32),
            np.frombuffer(self.weight, np.float64),
            np.frombuffer(self.ts, np.float64),
            dict(self.skipped),
            dict(refused),
            extra,
            kinds=list(self.kinds),
            kind=np.frombuffer(self.kind, np.int32),
            order=np.frombuffer(self.order, np.float64),
            into=into,
        )


class _Probe:
    """Collects the interactions of one event."""

    def __init__(self) -> None:
        self.interactions: list[LoggedInteraction] = []

    def add(
        self, offset: int, user: str, item: str, event_type: str, ts: float, order: float = 0.0
    ) -> None:
        self.interactions.append(LoggedInteraction(user, item, event_type, ts))

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        pass

    def skip(self, offset: int, user: str, event_type: str) -> None:
        pass


def read_interactions(
    events: Iterable[LoggedEvent],
    rules: EventRules,
    weights: Mapping[str, float],
    topic: str,
    latest_ts: float,
    extra_weights: Mapping[str, Mapping[str, float]] | None = None,
    bounds: EventBounds | None = None,
) -> LogInteractions:
    """Return the interactions of `events`.

    Args:
        events: The log.
        rules: How the app reads events; keys are taken to be right.
        weights: Weight by canonical type.
        topic: Where events that leave out their type were sent; it implies one.
        latest_ts: Newest event time in seconds that is allowed without asking `bounds`.
        extra_weights: Weight by canonical type, of each of the further kinds of lists.
        bounds: Says which later events count; None for none of them.

    Raises:
        ConfigError: an event leaves out its time, so that the log does not say when it was.

    Cost: about 2 us and 36 bytes an event, beside the ids.
    """
    reader, record = EventReader(replace(rules, check_keys=False), topic), _Unkeyed()
    taken = _Taken(weights)
    extra = {kind: _Taken(own) for kind, own in (extra_weights or {}).items()}
    projections = [(PROJECTIONS[kind], own) for kind, own in extra.items()]
    refused: Counter[str] = Counter()
    implied = rules.implied.get(topic, "")
    for place, event in enumerate(events, 1):
        event_type = rules.types.get(event.type or implied)
        if event.ts is None and event_type and event_type not in {FORGET, MERGE}:
            raise ConfigError(f"event {place} of the log has no ts, so its time is not known")
        fields = event.element()
        try:
            try:
                reader.take(fields, record, latest_ts, taken, projections)
            except BadEventError as refusal:
                if bounds is None or refusal.code != "ts_out_of_range":
                    raise
                reader.take(fields, record, math.inf, probe := _Probe())
                if not all(map(bounds.allow, probe.interactions)):
                    raise
                reader.take(fields, record, math.inf, taken, projections)
        except BadEventError as refusal:
            refused[refusal.code] += 1
    return taken.interactions(
        refused, {kind: own.interactions({}, {}) for kind, own in extra.items()}
    )
