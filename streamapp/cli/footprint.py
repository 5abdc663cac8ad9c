"""`streamapp footprint`: the memory that a state of some size takes in Redis."""

import asyncio
from dataclasses import replace

from streamapp.cli.session import redis_session
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.counts.norms import NORM
from streamapp.core.histories.history import entry_of
from streamapp.inspection.footprint import KeyClass, Size, predict
from streamapp.inspection.row_sizes import cells_in
from streamapp.inspection.snapshot import read_layout, slots_of
from streamapp.pipelines import Pipeline, pipelines
from streamapp.store.slot.blob import POSITION_BYTES
from streamapp.store.slot.head import Head
from streamapp.store.values.category_tops import known_categories
from streamapp.store.values.user_list_index import UserListIndex

_MEBIBYTE = 1024 * 1024


def show_footprint(given: Size | None, as_json: bool) -> None:
    """Print the memory of the given size, or of the existing state of all pipelines."""
    settings = load_settings()
    main, *extra = pipelines(settings).values()
    partitions = shards = settings.partitions
    classes: list[KeyClass] = []
    if given is None:
        given, partitions, shards, _ = asyncio.run(_state(settings, main))
        for pipeline in extra:
            size, *counts = asyncio.run(_state(settings, pipeline))
            found = predict(size, settings, pipeline, *counts)
            classes += [replace(some, name=f"{pipeline.kind} {some.name}") for some in found]
    classes = predict(given, settings, main, partitions, shards) + classes
    total = sum(one.bytes for one in classes)
    if as_json:
        report = {name: getattr(given, name) for name in Size.__slots__}
        report |= {one.name: {"keys": one.keys, "bytes": one.bytes} for one in classes}
        print_json({**report, "bytes": total})
        return
    rows = [(one.name, one.keys, one.bytes / _MEBIBYTE) for one in classes]
    print_table(
        f"{given.users:,} users with {given.history:.1f} items each, {given.items:,} items, "
        f"{given.pairs:,} pairs, {given.live:,} users with a list",
        ("what", "keys", "MiB"),
        [*((name, keys, round(size, 1)) for name, keys, size in rows),
         ("all", sum(one.keys for one in classes), round(total / _MEBIBYTE, 1))],
    )  # fmt: skip


async def _state(settings: Settings, pipeline: Pipeline) -> tuple[Size, int, int, int]:
    """Return the size of the state, its partitions, its shards, and the items that shards know.

    Ids are assumed to have 12 bytes.
    """
    async with redis_session(settings) as redis:
        layout = await read_layout(redis, pipeline)
        slots = slots_of(redis, pipeline, layout)
        heads = [[await slot.head(Head) or Head() for slot in some] for some in slots]
        known = len(await slots[1][0].columns.read(slots[1][0].keys.norms)) // NORM.itemsize
        live = [await UserListIndex(redis, slot.keys).size() for slot in slots[0]]
        categories = await known_categories(redis, pipeline.state_prefix, len(slots[1]))
    users, items = (sum(head.blobs for head in some) for some in heads)
    history_bytes, row_bytes = (sum(head.blob_bytes for head in some) for some in heads)
    entries = (history_bytes - POSITION_BYTES * users) // entry_of(pipeline.decay).itemsize
    mean = entries / users if users else 0.0
    cells = cells_in(items, row_bytes)
    size = Size(users, items, cells // 2, mean, 12, sum(live), len(categories))
    return size, layout[pipeline.interactions_topic], layout[pipeline.deltas_topic], known
