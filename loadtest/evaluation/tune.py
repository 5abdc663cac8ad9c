"""`python -m loadtest tune`: finds the settings of the best user lists for a log.

The last part of the log is held out. The events before it are counted, once for every length of a
history. Then every next item of a user within the last part is a question, as in `sessions`, for
lists that the live app could make: blends of item lists of length `TOP_N`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from loadtest.evaluation.engine import Counting, Engine
from loadtest.evaluation.metrics import Questions, measure
from loadtest.evaluation.sessions import next_items
from loadtest.evaluation.similarities import Similarity
from loadtest.evaluation.variant import Variant
from streamapp.audit.log import LogInteractions
from streamapp.cli.terminal.console import Step
from streamapp.config.env_check import PREFIX
from streamapp.config.rules import user_rule
from streamapp.config.settings import Settings
from streamapp.core.arrays.array_types import Bools
from streamapp.core.histories.profiles import Profiles
from streamapp.errors import ConfigError

HISTORY_CAPS = (10, 30, 100)
DAMPINGS = (0.0, 5.0, 20.0, 50.0, 100.0)
DEPTHS = (1, 3, 10)
FADINGS = (1.0, 0.7, 0.5, 0.4, 0.3)

MOST_QUESTIONS = 10_000
"""Larger logs are sampled: a choice is no better for more questions, only slower."""

METRICS = ("mrr", "hr", "ndcg")
"""The metrics to tune for; the first is the default."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings of user lists.

    Attributes:
        history_cap: As the setting.
        damping: As the setting.
        user_depth: As the setting.
        user_fading: As the setting.
    """

    history_cap: int
    damping: float
    user_depth: int
    user_fading: float

    @classmethod
    def of(cls, settings: Settings) -> "Choice":
        """Return the current settings."""
        return cls(
            settings.history_cap, settings.damping, settings.user_depth, settings.user_fading
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that set it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {PREFIX + name.upper(): f"{value:g}" for name, value in values.items()}

    def variant(self, settings: Settings) -> Variant:
        """Return the blend of the live app under these settings."""
        rule = replace(user_rule(settings), depth=self.user_depth, fading=self.user_fading)
        return Variant(Similarity(damping=self.damping, neighbours=settings.top_n), rule)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The outcome of a search.

    Attributes:
        metric: The metric that was tuned for.
        questions: Number of questions.
        found: Metrics by choice, the best first.
        current: Metrics of the current settings.
    """

    metric: str
    questions: int
    found: Mapping[Choice, Mapping[str, float]]
    current: Choice

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        best = next(iter(self.found))
        return {
            "metric": self.metric,
            "questions": self.questions,
            "set": best.environment(),
            "choices": [
                {"environment": choice.environment(), "current": choice == self.current, **values}
                for choice, values in self.found.items()
            ],
        }


def tune(
    log: LogInteractions, settings: Settings, metric: str, held_out: float, step: Step
) -> Tuning:
    """Search the grid and the current settings.

    Args:
        log: In the order of the events.
        settings: Length and exclusions of lists, and the current settings.
        metric: One of `METRICS`.
        held_out: Share of the log's time, from its end, whose items are questions; 0 to 1.
        step: Called with how many choices are done, and of how many.

    Raises:
        ConfigError: there are no questions.

    Cost: one replay for each length of a history, and one blend for each question and choice.
    """
    if not len(log.ts):
        raise ConfigError("the log has no interactions: there is nothing to tune by")
    cut = log.ts.max() - held_out * (log.ts.max() - log.ts.min())
    train, test = _part(log, log.ts <= cut), _part(log, log.ts > cut)
    current = Choice.of(settings)
    choices = list(dict.fromkeys([current, *_grid()]))
    found: dict[Choice, dict[str, float]] = {}
    questions = 0
    for cap in sorted({choice.history_cap for choice in choices}):
        engine = Engine(Counting(cap, settings.forget_after or math.inf))
        for _ in engine.replay(train):
            pass
        asked = _sample(next_items(test, engine.counts.registry))
        questions = len(asked.relevant)
        if not questions:
            raise ConfigError(
                "no user has two items in the part of the log that is held out: there is nothing "
                "to tune by"
            )
        for choice in [choice for choice in choices if choice.history_cap == cap]:
            lists = engine.counts.lists(asked.profiles, choice.variant(settings))
            found[choice] = measure(lists, asked, engine.counts.norms.users)
            step(len(found), len(choices))
    best = sorted(found, key=lambda choice: -found[choice][metric])
    return Tuning(metric, questions, {choice: found[choice] for choice in best}, current)


def _grid() -> Iterator[Choice]:
    for cap, damping, depth, fading in product(HISTORY_CAPS, DAMPINGS, DEPTHS, FADINGS):
        if depth > 1 or fading == FADINGS[0]:
            yield Choice(cap, damping, depth, fading)


def _sample(questions: Questions) -> Questions:
    """Return at most `MOST_QUESTIONS`, evenly spaced."""
    profiles, every = questions.profiles, len(questions.relevant)
    chosen = np.unique(np.linspace(0, every - 1, min(every, MOST_QUESTIONS)).astype(np.int64))
    sizes = np.diff(profiles.starts)[chosen]
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    # The position of each entry: its index in its own line, from the beginning of that line.
    entries = np.arange(starts[-1]) + np.repeat(profiles.starts[chosen] - starts[:-1], sizes)
    return Questions(
        Profiles(starts, profiles.item[entries], profiles.rating[entries]),
        [questions.answers[number] for number in chosen.tolist()],
        [questions.relevant[number] for number in chosen.tolist()],
    )


def _part(log: LogInteractions, chosen: Bools) -> LogInteractions:
    """Return some of the interactions of a log."""
    columns: Sequence[Any] = (log.user, log.item, log.weight, log.ts)
    user, item, weight, ts = (np.ascontiguousarray(column[chosen]) for column in columns)
    return replace(log, user=user, item=item, weight=weight, ts=ts)
