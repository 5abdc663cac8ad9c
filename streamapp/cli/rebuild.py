"""Cli. `streamapp rebuild`: begins the state anew, to be counted from the first event on."""

import asyncio

from faust.types import TP

from streamapp.audit.lag import tag_of
from streamapp.cli.console import print_json, print_table
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.settings import Settings, load_settings
from streamapp.store.layout import check_layout
from streamapp.store.removal import begin_at, remove_keys
from streamapp.transport.offsets import read_offsets


def rebuild_state(drop_lists: bool, as_json: bool) -> None:
    """Remove the state, and set every position to where counting from the first event begins.

    Event and catalogue partitions begin at their first record. The internal topics go on at their
    end: what they hold is sent anew, and lists get a `seq` above all that was published. The new
    state has a generation of its own, so what a worker of the old one still writes or sends has no
    effect.

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
        positions = {
            tp: known.end if tp.topic in settings.internal_topics else known.beginning
            for tp, known in offsets.items()
        }
        removed = await remove_keys(redis, settings.state_prefix)
        lists = await remove_keys(redis, settings.list_prefix) if drop_lists else 0
        tags = {tag_of(settings, tp.topic, tp.partition): at for tp, at in positions.items()}
        await check_layout(redis, settings, layout)
        await begin_at(redis, settings, tags)
    return {
        "state_keys_removed": removed,
        "lists_removed": lists,
        "records_to_count": sum(
            known.end - known.beginning
            for tp, known in offsets.items()
            if tp.topic in settings.event_topics
        ),
    }
