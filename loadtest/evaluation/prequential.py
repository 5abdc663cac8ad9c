"""Protocol `prequential`: test, then learn, event by event in time order.

Before an event is applied: does the list that its user would have seen hold its item? The same is
tested for lists from counts that were frozen at midnight (UTC), and for lists that were frozen as a
whole, as nightly jobs have them. The gain is the hits of fresh lists beyond the former.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from loadtest.bench.result import Plot, Result, Table
from loadtest.evaluation.engine import Counting, Counts, Engine
from loadtest.evaluation.places import Places
from loadtest.evaluation.split import chosen
from loadtest.evaluation.variant import Variant, spaced
from streamapp.audit.log import LogInteractions
from streamapp.cli.terminal.console import Step
from streamapp.core.evaluation.online import HitStats
from streamapp.core.histories.profiles import Profiles
from streamapp.errors import ConfigError

ID = "prequential"
TOP_N = 20
LISTS = ("depth=1,exclude=none", "damping=20,alpha=0.7,fading=0.5")

FRESH, COUNTS, WHOLE = "fresh", "counts of midnight", "lists of midnight"
KINDS = (FRESH, COUNTS, WHOLE)
"""Everything as of now; counts of midnight with the history of now; all as of midnight."""

_DAY_S = 86_400
_TOLD = 100
_NOTES = (
    "HR and MRR are over all events; without a history, or on an excluded item, an event is a miss",
    "counts of midnight meet the history of now; lists of midnight know that of midnight",
)


def _tallies() -> defaultdict[tuple[str, str], HitStats]:
    return defaultdict(HitStats)


@dataclass(slots=True)
class Day:
    """The results of the events of one day.

    Attributes:
        date: Such as `2014-04-01`.
        events: Number of events.
        asked: Events of users with a history that does not hold the item yet.
        tallies: By (list, kind): the ranks at which lists held the items of events.
    """

    date: str
    events: int = 0
    asked: int = 0
    tallies: defaultdict[tuple[str, str], HitStats] = field(default_factory=_tallies)

    def rates(self, name: str) -> dict[str, dict[str, float]]:
        """Return HR and MRR of a list over all events, by kind."""
        return {kind: self.tallies[name, kind].rates(self.events) for kind in KINDS}


def run(
    log: LogInteractions, counting: Counting, variants: Mapping[str, Variant], step: Step
) -> Result:
    """Return, day by day, how often each list held the next item.

    Raises:
        ConfigError: the log holds no interactions.
    """
    if not len(log.user):
        raise ConfigError("the log holds no interactions: there is nothing to ask")
    days = list(_days(chosen(log, np.argsort(log.ts, kind="stable")), counting, variants, step))
    top_n = next(iter(variants.values())).blend.top_n
    result = Result(ID, notes=list(_NOTES))
    for name in variants:
        result.cases.append(_case(name, days, top_n))
        result.tables += [_table(name, days, top_n, metric) for metric in ("hr", "mrr")]
        result.plots.append(_plot(name, days, top_n))
    return result


def _days(
    log: LogInteractions, counting: Counting, variants: Mapping[str, Variant], step: Step
) -> Iterator[Day]:
    engine = Engine(counting)
    registry = engine.counts.registry
    fresh = _places(engine.counts, variants)
    frozen, histories = _places(engine.frozen(), variants), dict(engine.histories)
    numbers = (log.ts // _DAY_S).tolist()
    day = Day(_date(numbers[0]))
    columns = (column.tolist() for column in (log.user, log.item, log.weight, log.ts))
    for place, (user, item, weight, ts) in enumerate(zip(*columns, strict=True)):
        if place and numbers[place] != numbers[place - 1]:
            yield day
            day = Day(_date(numbers[place]))
            frozen, histories = _places(engine.frozen(), variants), dict(engine.histories)
        name, number = log.users[user], registry.find(log.items[item])
        now = engine.profiles([name])
        then = Profiles.unpack([histories.get(name, b"")], registry, engine.rule)
        day.events += 1
        day.asked += bool(len(now.item)) and number not in now.item
        for kind, places, profiles in (
            (FRESH, fresh, now), (COUNTS, frozen, now), (WHOLE, frozen, then)
        ):  # fmt: skip
            for variant, found in places.items():
                day.tallies[variant, kind].count(found.place(profiles, number))
        engine.learn(name, log.items[item], weight, ts)
        if place % _TOLD == 0:
            step(place, len(log.user))
    yield day


def _places(counts: Counts, variants: Mapping[str, Variant]) -> dict[str, Places]:
    return {name: Places(counts, variant) for name, variant in variants.items()}


def _date(number: float) -> str:
    return datetime.fromtimestamp(number * _DAY_S, UTC).date().isoformat()


def _total(days: Sequence[Day]) -> Day:
    total = Day("all", sum(day.events for day in days), sum(day.asked for day in days))
    for day in days:
        for kind, tally in day.tallies.items():
            total.tallies[kind].hits += tally.hits
            total.tallies[kind].reciprocal_ranks += tally.reciprocal_ranks
    return total


def _case(name: str, days: Sequence[Day], top_n: int) -> dict[str, Any]:
    total, *rest = (
        {"date": day.date, "events": day.events, "asked": day.asked, **day.rates(name)}
        for day in (_total(days), *days)
    )
    return {"id": f"{ID}/{name}", "top_n": top_n, **total, "days": rest}


def _table(name: str, days: Sequence[Day], top_n: int, metric: str) -> Table:
    rows: list[tuple[Any, ...]] = []
    for day in (*days, _total(days)):
        fresh, counts, whole = (day.rates(name)[kind][metric] for kind in KINDS)
        values = fresh, counts, fresh - counts, whole
        rows.append((day.date, day.events, day.asked, *(round(value, 4) for value in values)))
    columns = ("day", "events", "asked", FRESH, COUNTS, "gain", WHOLE)
    return Table(f"{metric.upper()}@{top_n} of {spaced(name)}", columns, rows)


def _plot(name: str, days: Sequence[Day], top_n: int) -> Plot:
    x = list(range(1, len(days) + 1))
    return Plot(
        spaced(name),
        f"day of the log, from {days[0].date}",
        f"HR@{top_n}",
        {kind: (x, [day.rates(name)[kind]["hr"] for day in days]) for kind in KINDS},
    )
