"""Protocol `split`: three quarters of MovieLens 100K are counted, the rest is guessed.

These are the splits by which `recommenders` compares its algorithms (its `python_stratified_split`
with ratio 0.75 and seed 42): of each user's ratings, or of each item's. They are random in time, so
they measure similarities, not a stream of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from loadtest.bench.result import Result
from loadtest.evaluation.engine import Counting, Engine
from loadtest.evaluation.metrics import Questions
from loadtest.evaluation.tables import compared
from loadtest.evaluation.variant import Variant
from streamapp.audit.log import LogInteractions
from streamapp.cli.terminal.console import Step
from streamapp.core.arrays.array_types import Bools, Longs

ID = "split"
TOP_N = 10
WEIGHTS = {f"r{stars}": float(stars) for stars in range(1, 6)}
"""Weight by event type: the number of stars of a rating."""

_SHOWN = ("ndcg", "map", "precision", "recall", "coverage", "popularity_bias")
LISTS = (
    "rated=yes,binary=yes",
    "rated=yes",
    "rated=yes,damping=20",
)

_RATIO = 0.75
_SEED = 42


def run(
    ratings: LogInteractions, counting: Counting, variants: Mapping[str, Variant], step: Step
) -> Iterator[Result]:
    """Yield the metrics of lists: for the split of each user's ratings, and of each item's.

    Args:
        ratings: All ratings, in the order of GroupLens' file, which the split depends on.
        counting: The rules of counts.
        variants: The rules of lists, by name.
        step: Called with the progress.
    """
    for by in ("user", "item"):
        train = training(getattr(ratings, by))
        counted, rest = chosen(ratings, train), chosen(ratings, ~train)
        in_time = np.argsort(counted.ts, kind="stable")
        engine = Engine(counting)
        for done in engine.replay(chosen(counted, in_time)):
            step(done, len(counted.user))
        yield compared(f"{ID}-{by}", _SHOWN, engine.counts, unseen(rest, engine), variants)


def training(group: Longs) -> Bools:
    """Return for each rating whether it is counted: a random three quarters of its group."""
    draws = np.random.RandomState(_SEED).rand(len(group))
    order = np.lexsort((draws, group))
    sizes = np.bincount(group)
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    counted: Bools = rank < np.round(_RATIO * sizes)[group]
    return counted


def chosen(log: LogInteractions, which: Bools | Longs) -> LogInteractions:
    """Return some of the interactions of a log."""
    return replace(log, user=log.user[which], item=log.item[which],
                   weight=log.weight[which], ts=log.ts[which])  # fmt: skip


def unseen(rest: LogInteractions, engine: Engine) -> Questions:
    """Return one question for each user that has a history and an item in `rest`."""
    truth: dict[str, set[str]] = {}
    for user, item in zip(rest.user.tolist(), rest.item.tolist(), strict=True):
        truth.setdefault(rest.users[user], set()).add(rest.items[item])
    users = [user for user in truth if user in engine.histories]
    find = engine.counts.registry.find
    return Questions(
        engine.profiles(users),
        [{find(item) for item in truth[user]} - {-1} for user in users],
        [len(truth[user]) for user in users],
    )
