"""Cli. `streamapp audit`: what is in Redis, compared with the batch truth of event logs."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from redis.asyncio import Redis

from streamapp.audit.availability import compare_availability
from streamapp.audit.comparison import (
    Comparison,
    aligned,
    compare_dots,
    compare_norms,
    compare_numbers,
    tolerance_of,
)
from streamapp.audit.lag import Standing, wait_until_drained
from streamapp.audit.lists import compare_lists
from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.audit.trending import compare_trending
from streamapp.audit.truth import gram, live_ratings, newest_of
from streamapp.audit.user_lists import compare_user_lists
from streamapp.cli.console import Step, print_json, print_table, progress
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.core.arrays import Bools
from streamapp.core.listing import TRENDING
from streamapp.eventlog import read_log
from streamapp.settings import Settings, load_settings
from streamapp.store.audience import present
from streamapp.store.keys import list_name
from streamapp.store.products import read_hidden, read_products
from streamapp.store.snapshot import (
    check_still,
    holds_histories,
    read_lists,
    read_snapshot,
    slots_of,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit came to.

    Attributes:
        log: The interactions of the log.
        applied: Interactions that the app applied.
        comparisons: One for each kind of thing.
    """

    log: LogInteractions
    applied: int
    comparisons: dict[str, Comparison]

    @property
    def differences(self) -> int:
        """How many things differ."""
        return sum(one.different for one in self.comparisons.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "interactions": len(self.log.user),
            "applied_events": self.applied,
            "skipped": self.log.skipped,
            "refused": self.log.refused,
            "compared": {name: one.compared for name, one in self.comparisons.items()},
            "different": {name: one.different for name, one in self.comparisons.items()},
            "differences": self.differences,
            "examples": [
                {"kind": name, **difference._asdict()}
                for name, one in self.comparisons.items()
                for difference in one.examples
            ],
        }


def audit_state(files: Sequence[Path], timeout_s: float, as_json: bool) -> None:
    """Compare the state with the truth of `files`, and print what differs.

    Args:
        files: Event logs, in the order in which they were produced.
        timeout_s: How long to wait for the app to be drained.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: a log cannot be read.
        StreamappError: the app is not drained in time, or its state cannot be read.
        typer.Exit: with code 1 where something differs.
    """
    settings = load_settings()
    with progress() as begin:
        begin("reading the log")
        log = read_interactions(
            read_log(files),
            settings.event_rules,
            settings.event_weights,
            settings.event_topics[0],
            time.time() + settings.max_ahead_s,
        )
        report = asyncio.run(_compare(log, settings, timeout_s, begin))
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    if report.differences:
        raise typer.Exit(1)


async def _forgotten(
    redis: Redis, settings: Settings, layout: dict[str, int], log: LogInteractions
) -> Bools:
    """Say of each user whether the app has rightly forgotten them.

    The app may do so once an event is newer by twice the time after which a history begins anew;
    whether it has done so, it alone knows.
    """
    forgotten = np.zeros(len(log.users), np.bool_)
    if settings.forget_after and len(log.ts):
        idle = np.flatnonzero(newest_of(log) < log.ts.max() - 2 * settings.forget_after)
        users = [log.users[number] for number in idle.tolist()]
        held = await holds_histories(redis, settings, layout, users)
        forgotten[idle] = ~np.array(held, np.bool_)
    return forgotten


async def _compare(
    log: LogInteractions,
    settings: Settings,
    timeout_s: float,
    begin: Callable[[str], Step],
) -> Report:
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        wait = begin("waiting for the app")

        def tell(standing: Standing) -> None:
            wait(standing.lag_events, None)

        await wait_until_drained(redis, settings, layout, timeout_s, tell)
        hidden = await read_hidden(redis, settings, layout[settings.deltas_topic])
        products = await read_products(redis, settings, layout)
        snapshot = await read_snapshot(redis, settings, begin("reading rows"))
        forgotten = await _forgotten(redis, settings, layout, log)
        begin("counting")
        live = live_ratings(log, settings.history_cap, settings.forget_after or np.inf)
        live = live.only(~forgotten[live.user])
        truth = gram(live, len(log.users), log.items)
        expected, stored = aligned(truth, snapshot.counts, log.items)
        keys = [f"{settings.list_prefix}item:{item}" for item in expected.items]
        lists = await read_lists(redis, keys, begin("reading lists"))
        slots, _ = slots_of(redis, settings, layout)
        removed_at = await present(redis, (slot.keys for slot in slots))
        keys = [f"{settings.list_prefix}user:{user}" for user in log.users]
        *user_lists, trending = await read_lists(
            redis,
            [*keys, settings.list_prefix + list_name(TRENDING, "")],
            begin("reading lists for users"),
        )
        now = time.time()
        await check_still(redis, settings, snapshot.positions)
    tolerance = tolerance_of(settings.event_weights)
    begin("comparing")
    return Report(
        log,
        snapshot.applied,
        {
            "histories": compare_numbers("histories", snapshot.histories, int((~forgotten).sum())),
            "norms": compare_norms(expected, stored, snapshot.disputed, tolerance),
            "dots": compare_dots(expected, stored, tolerance),
            "availability": compare_availability(products, hidden),
            "lists": compare_lists(expected, lists, settings.rule, hidden.items),
            "user lists": compare_user_lists(
                log,
                live,
                {user for user, at in removed_at.items() if at > now},
                {user for user, at in removed_at.items() if at <= now},
                user_lists,
                dict(zip(expected.items, lists, strict=True)),
                trending or b"",
                settings.user_rule,
            ),
            "trending": compare_trending(
                log, trending or b"", settings.trending_half_life, settings.top_n, hidden.items
            ),
        },
    )


def _print(report: Report) -> None:
    log = report.log
    print_table(
        f"{len(log.user):,} interactions in the log, {report.applied:,} applied by the app",
        ("what", "compared", "different"),
        ((name, one.compared, one.different) for name, one in report.comparisons.items()),
    )
    for note, counts in (("skipped, unknown type", log.skipped), ("refused", log.refused)):
        for name, count in counts.items():
            typer.echo(f"{note} {name}: {count:,}")
    examples = [difference for one in report.comparisons.values() for difference in one.examples]
    if examples:
        print_table("First differences", ("where", "redis", "truth"), examples)
    typer.echo(f"differences: {report.differences:,}")
