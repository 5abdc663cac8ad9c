"""The steady shop: few items and users, a past, and a worker whose lists are up to date."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from loadtest.bench.app_run import audit, drain, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.meter import published
from loadtest.bench.process import Process
from loadtest.bench.shop import Shop
from loadtest.bench.source import Source, fill, write_log

RUN = "app"
CAP = 30
"""Items of a history."""
USERS = 4_000
_ITEMS = 3_000
_SHARES = (0.9, 0.0, 0.1)
"""One event in ten is a purchase, the others are clicks."""


@dataclass(frozen=True, slots=True)
class Rested:
    """A worker whose lists are exact.

    Attributes:
        worker: The worker.
        drained: What another worker took to drain the past, in JSON form.
    """

    worker: Process
    drained: dict[str, Any]


def steady_shop(events: int, seed: int) -> Shop:
    """Return a shop of 3,000 items and 4,000 users; popular items are in many histories."""
    return Shop(events, USERS, _ITEMS, seed=seed, squared=True, shares=_SHARES)


def logs_of(shop: Shop, folder: Path, sizes: Mapping[str, int]) -> dict[str, Source]:
    """Write the events of a shop to some logs, one after another.

    Args:
        shop: The shop, with at least as many events.
        folder: Where to.
        sizes: The events of each log, by its name.
    """
    events, logs = iter(shop), {}
    for name, size in sizes.items():
        path = folder / f"{name}.csv"
        logs[name] = Source([path], write_log(path, islice(events, size)), {"part": name})
    return logs


@contextmanager
def rested(bench: Bench, env: BenchEnv, about: str, past: Source) -> Iterator[Rested]:
    """Let one worker drain the past, and yield another one that is idle with exact lists.

    Args:
        bench: For the options.
        env: The environment, whose event topic holds nothing.
        about: The run, for people.
        past: The events so far.

    Raises:
        StreamappError: a worker ends, or the audit finds differences.
    """
    env.make_topics(RUN)
    fill(env, RUN, past, bench.events_per_record, bench.begin(f"{about}, filling"))
    found = drain(env, RUN, bench.timeout_s, bench.begin(f"{about}, drain"))
    drained = {
        **found.as_dict(),
        "cpu_share": found.cpu_s / found.elapsed_s,
        "lists_per_event": published(env.settings(RUN)) / found.events,
    }
    with workers(env, RUN) as started:
        bench.begin(f"{about}, lists follow norms")
        audit(env, RUN, past.files)
        yield Rested(started[0], drained)
