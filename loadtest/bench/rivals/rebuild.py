"""The periodic batch job: everything from scratch with scipy, as often as lists must be fresh.

The log is held in memory, so reading it again costs nothing, which flatters the job. It is timed at
several sizes; the benchmark adds up the cost of rebuilding at a given freshness.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from redis import Redis

from loadtest.bench.program import heard
from loadtest.bench.rivals.lap import Lap
from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.audit.truth import gram, live_ratings
from streamapp.config.loader import load_settings
from streamapp.config.rules import event_rules
from streamapp.eventlog import read_log

_LISTS_AT_ONCE = 1_000
_STEPS = 5


def rebuild(log: LogInteractions, redis: Redis, prefix: str, top_n: int, cap: int) -> int:
    """Compute and write all lists; return how many there are."""
    counts = gram(live_ratings(log, cap), len(log.users), log.items)
    score = counts.dot / np.sqrt(counts.sum_sq[counts.rows] * counts.sum_sq[counts.indices])
    order = np.lexsort((counts.indices, -score, counts.rows))
    names, lists = counts.items, {}
    for row, (start, end) in enumerate(
        zip(counts.indptr[:-1].tolist(), counts.indptr[1:].tolist(), strict=True)
    ):
        best = order[start : min(end, start + top_n)]
        entries = [
            {"id": names[other], "score": value, "support": support}
            for other, value, support in zip(
                counts.indices[best].tolist(),
                score[best].tolist(),
                counts.support[best].tolist(),
                strict=True,
            )
        ]
        lists[f"{prefix}:recs:item:{names[row]}"] = orjson.dumps({"items": entries})
        if len(lists) >= _LISTS_AT_ONCE:
            redis.mset(lists)
            lists = {}
    if lists:
        redis.mset(lists)
    return len(names)


def first(log: LogInteractions, events: int) -> LogInteractions:
    """Return the first events of a log."""
    return LogInteractions(
        log.users, log.items, log.user[:events], log.item[:events],
        log.weight[:events], log.ts[:events], {}, {},
    )  # fmt: skip


def main(spec: dict[str, Any]) -> None:
    """Time rebuilds of ever more of the log."""
    settings = load_settings()
    log = read_interactions(
        read_log([Path(file) for file in spec["files"]]), event_rules(settings),
        settings.event_weights, settings.event_topics[0], time.time() + settings.max_ahead_s,
    )  # fmt: skip
    redis, lap = Redis.from_url(spec["redis_url"]), Lap(len(log.user))
    lap.begin()
    curve = []
    for step in range(1, _STEPS + 1):
        part = first(log, len(log.user) * step // _STEPS)
        began_s = time.monotonic()
        rebuild(part, redis, spec["group"], settings.top_n, settings.history_cap)
        curve.append((len(part.user), time.monotonic() - began_s))
    lap.count(len(log.user))
    lap.finish(curve=curve)


if __name__ == "__main__":
    main(heard())
