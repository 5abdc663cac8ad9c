"""`streamapp footprint`: the memory that a state of some size takes in Redis."""

import asyncio
from dataclasses import replace

from streamapp.cli.session import redis_session
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.histories.marks import mark_count
from streamapp.inspection.footprint import Parts, Size, predict
from streamapp.inspection.row_sizes import cells_in
from streamapp.inspection.snapshot import read_layout, slots_of
from streamapp.pipelines import Pipeline, pipelines
from streamapp.store.slot.blob import POSITION_BYTES
from streamapp.store.slot.head import Head
from streamapp.store.values.category_tops import known_categories
from streamapp.store.values.user_list_index import UserListIndex

_MEBIBYTE = 1024 * 1024


def show_footprint(given: Size | None, partitions: int | None, as_json: bool) -> None:
    """Print the memory of the given size, or of the existing state of all pipelines.

    Args:
        given: The size; None for that of the state.
        partitions: Partitions of every topic; None for those of the state, or of the settings.
        as_json: Whether to print JSON.
    """
    settings = load_settings()
    main, *extra = pipelines(settings).values()
    numbers = partitions or settings.partitions
    parts, classes = Parts(numbers, numbers), []
    if given is None:
        given, parts = asyncio.run(_state(settings, main, partitions))
        for pipeline in extra:
            found = predict(
                *asyncio.run(_state(settings, pipeline, partitions)), settings, pipeline
            )
            classes += [replace(some, name=f"{pipeline.kind} {some.name}") for some in found]
    classes = predict(given, parts, settings, main) + classes
    total = sum(one.bytes for one in classes)
    if as_json:
        report = {name: getattr(given, name) for name in Size.__slots__}
        report["partitions"] = parts.partitions
        report |= {one.name: {"keys": one.keys, "bytes": one.bytes} for one in classes}
        print_json({**report, "bytes": total})
        return
    rows = [(one.name, one.keys, one.bytes / _MEBIBYTE) for one in classes]
    print_table(
        f"{given.users:,} users with {given.history:.1f} marks each, {given.items:,} items, "
        f"{given.pairs:,} pairs, {given.live:,} users with a list",
        ("what", "keys", "MiB"),
        [*((name, keys, round(size, 1)) for name, keys, size in rows),
         ("all", sum(one.keys for one in classes), round(total / _MEBIBYTE, 1))],
    )  # fmt: skip


async def _state(
    settings: Settings, pipeline: Pipeline, partitions: int | None
) -> tuple[Size, Parts]:
    """Return the size of the state, and its parts: other ones if `partitions` says so.

    Ids are assumed to have 12 bytes.
    """
    async with redis_session(settings) as redis:
        layout = await read_layout(redis, pipeline)
        slots = slots_of(redis, pipeline, layout)
        heads = [[await slot.head(Head) or Head() for slot in some] for some in slots]
        known = [await slot.item_ids.count() for slot in slots[1]]
        live = [await UserListIndex(redis, slot.keys).size() for slot in slots[0]]
        categories = await known_categories(redis, pipeline.state_prefix, len(slots[1]))
    users, items = (sum(head.blobs for head in some) for some in heads)
    history_bytes, row_bytes = (sum(head.blob_bytes for head in some) for some in heads)
    marks = mark_count(history_bytes - POSITION_BYTES * users, users)
    mean = marks / users if users else 0.0
    cells = cells_in(items, row_bytes)
    size = Size(users, items, cells // 2, mean, 12, sum(live), len(categories))
    if partitions is not None:
        return size, Parts(partitions, partitions)
    histories, shards = (layout[topic] for topic in pipeline.internal_topics)
    return size, Parts(histories, shards, sum(known) / len(known))
