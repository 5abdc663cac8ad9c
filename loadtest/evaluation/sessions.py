"""Protocol `sessions`: count one log, then ask for the next item in another's sessions.

A session is its distinct items in order of first click. Every item from the second on is a
question: the items before it are the history, the item is the answer. An item that the counted log
does not hold is a miss, and keeps its rank in the history.
"""

from collections.abc import Mapping

import numpy as np

from loadtest.bench.result import Result
from loadtest.evaluation.engine import Counting, Engine
from loadtest.evaluation.metrics import Questions
from loadtest.evaluation.tables import compared
from loadtest.evaluation.variant import Variant
from streamapp.audit.log import LogInteractions
from streamapp.cli.terminal.console import Step
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.errors import ConfigError

ID = "sessions"
TOP_N = 20
_SHOWN = ("hr", "mrr", "coverage", "popularity_bias")
LISTS = (
    "depth=1",
    "depth=1,damping=20",
    "depth=all",
    "damping=20,fading=reciprocal",
    "damping=20,alpha=0.7,fading=0.5",
    "damping=20,fading=0.5",
    "neighbours=20,damping=20,fading=0.5",
    "neighbours=20,depth=10,fading=0.3",
    "neighbours=20,damping=100,fading=0.3",
    "neighbours=50,depth=10,damping=50,fading=0.3",
)


def run(
    train: LogInteractions,
    test: LogInteractions,
    counting: Counting,
    variants: Mapping[str, Variant],
    step: Step,
) -> Result:
    """Return the metrics of lists from the counts of `train` on the sessions of `test`.

    Raises:
        ConfigError: no session of `test` has two items.
    """
    engine = Engine(counting)
    for done in engine.replay(train):
        step(done, len(train.user))
    questions = next_items(test, engine.counts.registry)
    if not questions.relevant:
        raise ConfigError("no session of the test log has two items: there is nothing to ask")
    return compared(ID, _SHOWN, engine.counts, questions, variants)


def next_items(log: LogInteractions, registry: Registry) -> Questions:
    """Return the questions of all sessions, in the order of the log."""
    numbers = np.array([registry.find(item) for item in log.items], np.int32)
    sessions: dict[int, dict[int, float]] = {}
    starts: list[int] = [0]
    items: list[int] = []
    ratings: list[float] = []
    answers: list[set[int]] = []
    columns = (column.tolist() for column in (log.user, log.item, log.weight))
    for user, item, weight in zip(*columns, strict=True):
        session = sessions.setdefault(user, {})
        if session and item not in session:
            items += reversed(session.keys())
            ratings += reversed(session.values())
            starts.append(len(items))
            answers.append({int(numbers[item])} - {-1})
        session[item] = max(session.get(item, 0.0), weight)
    profiles = Profiles(
        np.array(starts, np.int64), numbers[np.array(items, np.int64)], np.array(ratings)
    )
    return Questions(profiles, answers, [1] * len(answers))
