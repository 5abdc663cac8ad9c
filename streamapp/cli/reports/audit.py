"""`streamapp audit`: compares Redis with the batch truth of event logs."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import typer
from redis.asyncio import Redis

from streamapp.audit.comparison import Comparison
from streamapp.audit.counted import count_pipeline
from streamapp.audit.log import LogInteractions, TrendingWeights, read_interactions
from streamapp.audit.trending import compare_categories, compare_trending
from streamapp.audit.trending_weights import daily_weights
from streamapp.audit.user_lists import ListUsers, StoredLists, compare_user_lists
from streamapp.cli.reports.event_times import event_bounds
from streamapp.cli.reports.lag import Lag, wait_until_drained
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.cli.terminal.console import Step, print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.rules import event_rules, topic_by_type, user_rule
from streamapp.config.settings import Settings
from streamapp.core.list_kinds import ITEM, TRENDING, USER
from streamapp.eventlog import read_log
from streamapp.inspection.snapshot import (
    check_still,
    names_under,
    read_published,
    slots_of,
)
from streamapp.pipelines import pipelines
from streamapp.printable import visible
from streamapp.store.slot.keys import list_name
from streamapp.store.values.product_reader import read_products
from streamapp.store.values.user_list_index import present


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit.

    Attributes:
        log: The interactions of the log.
        applied: Interactions that the app applied.
        comparisons: A comparison by the name of what is compared.
    """

    log: LogInteractions
    applied: int
    comparisons: dict[str, Comparison]

    @property
    def differences(self) -> int:
        """The number of differences."""
        return sum(one.different for one in self.comparisons.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as it is printed as JSON."""
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
    """Compare the state with the truth of `files`, and print the differences.

    Args:
        files: Event logs, in the order in which they were produced.
        timeout_s: How long to wait for the app to be drained.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: a log cannot be read.
        StreamappError: the app is not drained in time, or its state cannot be read.
        typer.Exit: with code 1 if there are differences.
    """
    settings = load_settings()
    own = pipelines(settings)
    with progress() as begin:
        begin("reading the log")
        rules = event_rules(settings)
        events = read_log(files, rules)
        # A file that cannot be read, or a state of other kinds, is named before Kafka is asked.
        first = next(events, None)
        asyncio.run(_check_kinds(settings))
        certain_ts, bounds = event_bounds(settings, rules, time.time())
        log = read_interactions(
            chain((first,) if first else (), events),
            rules,
            settings.event_weights,
            settings.event_topics[0],
            certain_ts,
            {kind: one.event_weights for kind, one in own.items() if kind != ITEM},
            bounds,
        )
        report = asyncio.run(_compare(log, settings, timeout_s, begin))
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    if report.differences:
        raise typer.Exit(1)


async def _check_kinds(settings: Settings) -> None:
    """Refuse a state of other kinds before Kafka is asked."""
    async with state_session(settings):
        pass


async def _compare(
    log: LogInteractions,
    settings: Settings,
    timeout_s: float,
    begin: Callable[[str], Step],
) -> Report:
    async with state_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        wait = begin("waiting for the app")

        def tell(lag: Lag) -> None:
            wait(lag.lag_events, None)

        await wait_until_drained(redis, settings, layout, timeout_s, tell)
        products = await read_products(
            redis, settings.state_prefix, layout.get(settings.catalogue_topic, 0)
        )
        own, paired = pipelines(settings), log.paired()
        counted = {
            kind: await count_pipeline(redis, settings, own[kind], layout, some, begin, products)
            for kind, some in {ITEM: paired, **log.extra}.items()
        }
        slots, _ = slots_of(redis, own[ITEM], layout)
        removed_at = await present(redis, (slot.keys for slot in slots))
        names = [list_name(USER, user) for user in paired.users]
        *user_lists, trending = await read_published(
            redis,
            settings,
            [*names, list_name(TRENDING, "")],
            begin("reading lists for users"),
        )
        in_categories = await _in_categories(redis, settings) if settings.catalogue_topic else {}
        now = await slots[0].ownership.server_time() if slots else 0.0
        for kind, one in counted.items():
            await check_still(redis, own[kind], one.snapshot.positions)
    begin("comparing")
    main = counted.pop(ITEM)
    comparisons = main.comparisons(settings, own[ITEM], products)
    comparisons["user lists"] = compare_user_lists(
        paired,
        main.live,
        ListUsers(
            {user for user, at in removed_at.items() if at > now},
            {user for user, at in removed_at.items() if at <= now},
            {paired.users[user]: some for user, some in main.user_hidden.items()},
        ),
        StoredLists(
            user_lists,
            dict(zip(main.expected.items, main.lists, strict=True)),
            trending or b"",
        ),
        user_rule(settings),
        settings.list_tolerance,
    )
    rated = replace(log, trending=_trending_weights(log, settings)).rated()
    comparisons["trending"] = compare_trending(
        rated,
        trending or b"",
        settings.trending_half_life,
        settings.top_n,
        main.hidden.items,
        settings.list_tolerance,
    )
    if settings.catalogue_topic:
        comparisons["trending in categories"] = compare_categories(
            rated,
            in_categories,
            {item: one.category for item, one in products.items()},
            settings.trending_half_life,
            settings.top_n,
            main.hidden.items,
            settings.list_tolerance,
        )
    for kind, one in counted.items():
        found = one.comparisons(settings, own[kind], products)
        comparisons |= {f"{kind} {name}": comparison for name, comparison in found.items()}
    return Report(log, main.snapshot.applied, comparisons)


def _trending_weights(log: LogInteractions, settings: Settings) -> TrendingWeights | None:
    """Return what the interactions add to trending items; None: their weights."""
    if settings.trending_repeats == "all" or not settings.trending_half_life:
        return None
    return daily_weights(
        log,
        topic_by_type(settings),
        settings.trending_half_life,
        settings.history_cap,
        settings.forget_after or math.inf,
    )


async def _in_categories(redis: Redis, settings: Settings) -> dict[str, bytes]:
    """Return the trending list of every category."""
    prefix = list_name(TRENDING, "") + ":"
    names = await names_under(redis, settings.list_prefix + prefix)
    every = [prefix + name for name in names]
    found = await read_published(redis, settings, every, lambda *_: None)
    return {name: content or b"" for name, content in zip(names, found, strict=True)}


def _print(report: Report) -> None:
    log = report.log
    print_table(
        f"{len(log.user):,} interactions in the log, {report.applied:,} applied by the app",
        ("what", "compared", "different"),
        ((name, one.compared, one.different) for name, one in report.comparisons.items()),
    )
    for note, counts in (("skipped, unknown type", log.skipped), ("refused", log.refused)):
        for name, count in counts.items():
            typer.echo(visible(f"{note} {name}: {count:,}"))
    examples = [difference for one in report.comparisons.values() for difference in one.examples]
    if examples:
        print_table("First differences", ("where", "redis", "truth"), examples)
    typer.echo(f"differences: {report.differences:,}")
