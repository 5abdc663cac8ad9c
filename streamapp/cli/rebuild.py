"""`streamapp rebuild`: removes the state, so that workers count again from the first event."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from streamapp.cli.list_withdrawal import withdraw
from streamapp.cli.rebuild_plan import RebuildPlan, read_plan
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.inspection.reset import begin_at, remove_state
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import followers, main_pipeline, pipelines
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.seq_base import read_seq_base, write_seq_base
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import check_layout
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP, Offsets


def rebuild_state(*, yes: bool, accept_loss: bool, drop_lists: bool, as_json: bool) -> None:
    """Remove the state, and set every position to where the new count begins.

    Event and catalogue partitions begin at their first record. The internal topics continue at
    their end: their messages are sent again, and lists get a `seq` above all published ones. The
    new state has another state id, so writes and messages of a worker of the old state have no
    effect. Lists of a kind that is switched off are withdrawn, and so are content neighbours and
    the trending lists of categories: the new state may never replace them.

    Args:
        yes: Whether to do it; else it is only said what would happen.
        accept_loss: Whether records may be lost that the state has applied.
        drop_lists: Whether all lists are withdrawn.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: `yes` is not set.
        StreamappError: workers live, records would be lost, or Kafka or Redis fails.
    """
    found = asyncio.run(
        _rebuild(load_settings(), yes=yes, accept_loss=accept_loss, drop_lists=drop_lists)
    )
    if as_json:
        print_json(found)
    else:
        title = "Rebuild" if yes else "What a rebuild would do"
        print_table(title, ("what", "value"), _lines(found))
    if not yes:
        more = " --accept-loss" if found["records_lost"] and not accept_loss else ""
        raise ConfigError(
            f"nothing was changed; stop all workers, and repeat with{more} --yes to do it"
        )


def _lines(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what a table shows: the number of live workers, and a line for each topic."""
    lines: list[tuple[str, Any]] = []
    for name, value in found.items():
        what = name.replace("_", " ")
        if isinstance(value, dict):
            lines += [(f"{what}, {topic}", count) for topic, count in value.items()] or [(what, 0)]
        else:
            lines.append((what, len(value) if isinstance(value, list) else value))
    return lines


async def _rebuild(
    settings: Settings, *, yes: bool, accept_loss: bool, drop_lists: bool
) -> dict[str, Any]:
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        tps = [TP(topic, number) for topic, count in layout.items() for number in range(count)]
        offsets = await read_offsets(settings, tps, {})
        plan = await read_plan(redis, settings, offsets, drop_lists=drop_lists)
        if not yes:
            return plan.report()
        plan.check(accept_loss=accept_loss)
        return await _carry_out(redis, settings, plan, layout, offsets)


async def _carry_out(
    redis: Redis,
    settings: Settings,
    plan: RebuildPlan,
    layout: Mapping[str, int],
    offsets: Mapping[TP, Offsets],
) -> dict[str, Any]:
    """Do what the plan says; return what was done."""
    sources = main_pipeline(settings).source_topics
    positions = {
        tp: known.beginning if tp.topic in sources else known.end for tp, known in offsets.items()
    }
    bases = await _seq_bases(redis, settings, layout)
    # A worker of the old state publishes no list from here on.
    removed = await remove_state(redis, settings.state_prefix)
    lists = await withdraw(redis, settings, plan.lists)
    await check_layout(redis, settings, layout)
    for topic, pipeline in followers(settings).items():
        tags = {
            tag_of(pipeline, topic, number): positions[TP(topic, number)]
            for number in range(layout[topic])
        }
        for tag in tags:
            slot = Slot(redis, SlotKeys(pipeline.state_prefix, tag))
            await write_seq_base(slot, bases.get(topic, 0))
        await begin_at(redis, settings, pipeline, tags)
    return {
        "state_keys_removed": removed,
        "other_keys_left": plan.other_keys,
        "lists_removed": lists,
        "records_to_count": plan.records_to_count,
        "records_lost": dict(plan.records_lost),
    }


async def _seq_bases(redis: Redis, settings: Settings, layout: Mapping[str, int]) -> dict[str, int]:
    """Return, by deltas topic, what shards add to their positions to make the `seq` of a list.

    A head that is damaged has none.
    """
    bases: dict[str, int] = {}
    for one in pipelines(settings).values():
        for number in range(layout[one.deltas_topic]):
            slot = Slot(redis, SlotKeys(one.state_prefix, rows_tag(number)))
            with suppress(ResponseError, ValueError):
                base = max(bases.get(one.deltas_topic, 0), await read_seq_base(slot))
                bases[one.deltas_topic] = base
    return bases
