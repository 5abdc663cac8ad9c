"""`streamapp rebuild`: removes the state, so that workers count again from the first event."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.ids.partitioner import partitions_of
from streamapp.core.list_kinds import ITEM, TRENDING
from streamapp.core.lists.list_format import is_content
from streamapp.errors import StateError
from streamapp.inspection.reset import begin_at, remove_all, remove_keys
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import extra_kinds, followers, main_pipeline
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys, list_name, pattern_of, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import check_layout
from streamapp.transport.offsets import read_offsets
from streamapp.transport.producer import Outgoing, Producer
from streamapp.transport.records import TP


def rebuild_state(drop_lists: bool, as_json: bool) -> None:
    """Remove the state, and set every position to where the new count begins.

    Event and catalogue partitions begin at their first record. The internal topics continue at
    their end: their messages are sent again, and lists get a `seq` above all published ones. The
    new state has another state id, so writes and messages of a worker of the old state have no
    effect. Lists of a kind that is switched off are withdrawn, and so are content neighbours and
    the trending lists of categories: the new state may never replace them.

    Raises:
        StreamappError: Kafka or Redis fails.
    """
    found = asyncio.run(_rebuild(load_settings(), drop_lists))
    if as_json:
        print_json(found)
        return
    print_table("Rebuild", ("what", "value"), [(k.replace("_", " "), v) for k, v in found.items()])


async def _rebuild(settings: Settings, drop_lists: bool) -> dict[str, int]:
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        tps = [TP(topic, number) for topic, count in layout.items() for number in range(count)]
        offsets = await read_offsets(settings, tps, {})
        sources = main_pipeline(settings).source_topics
        positions = {
            tp: known.beginning if tp.topic in sources else known.end
            for tp, known in offsets.items()
        }
        lists = 0
        if await _may_have_content(redis, settings):
            # Before the state is removed: it says which lists these are.
            lists += await _withdraw(redis, settings, _prefix(settings, ITEM), is_content)
        removed = await remove_keys(redis, settings.state_prefix)
        off = [kind for kind in PROJECTIONS if kind not in extra_kinds(settings)]
        # Only the removed state knew which categories had a list.
        gone = [_prefix(settings, kind) for kind in (*off, TRENDING)]
        for prefix in [settings.list_prefix] if drop_lists else gone:
            lists += await _withdraw(redis, settings, prefix)
        await check_layout(redis, settings, layout)
        for topic, pipeline in followers(settings).items():
            tags = {
                tag_of(pipeline, topic, number): positions[TP(topic, number)]
                for number in range(layout[topic])
            }
            await begin_at(redis, settings, pipeline, tags)
    return {
        "state_keys_removed": removed,
        "lists_removed": lists,
        "records_to_count": sum(
            known.end - known.beginning
            for tp, known in offsets.items()
            if tp.topic in settings.event_topics
        ),
    }


async def _may_have_content(redis: Redis, settings: Settings) -> bool:
    """Return whether lists may hold content neighbours, as far as the state says."""
    try:
        head = await Slot(redis, SlotKeys(settings.state_prefix, rows_tag(0))).head(Head)
    except StateError:
        return True
    return head is None or "content_neighbours" in head.results


def _prefix(settings: Settings, kind: str) -> str:
    """Return the prefix of the keys of the lists of a kind; a list without a name has another."""
    return settings.list_prefix + list_name(kind, "") + ":"


async def _withdraw(
    redis: Redis,
    settings: Settings,
    prefix: str,
    chosen: Callable[[Any], bool] | None = None,
) -> int:
    """Remove the chosen lists under a prefix, or all; return how many there were.

    They are removed from the topic first and then from Redis. After an interruption, the keys that
    are left in Redis say what is left to do.
    """
    keys = [
        key.decode()
        async for key in redis.scan_iter(pattern_of(prefix), count=1_000)
        if chosen is None or chosen(await redis.get(key) or b"")
    ]
    if not keys:
        return 0
    topic = settings.lists_topic
    names = [key.removeprefix(settings.list_prefix).encode() for key in keys]
    partitions = partitions_of(names, (await existing_partitions(settings, [topic]))[topic])
    messages: dict[tuple[str, int], list[Outgoing]] = {}
    for name, partition in zip(names, partitions, strict=True):
        messages.setdefault((topic, partition), []).append(Outgoing(None, name))
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.deliver(messages)
    finally:
        await producer.stop()
    return await remove_all(redis, keys)
