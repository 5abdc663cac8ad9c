"""`streamapp status`: how far the app is, and how much it holds."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from redis.asyncio import Redis

from streamapp.cli.reports.lag import read_lag
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.rules import decay_rule
from streamapp.config.settings import Settings
from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.inspection.norms_reader import check_half_life
from streamapp.inspection.row_sizes import cells_in
from streamapp.inspection.shared_norms import read_shared
from streamapp.store.slot.head import CatalogueHead, Head, HistoriesHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import known_categories
from streamapp.store.values.hidden_items import hidden_in


def show_status(as_json: bool) -> None:
    """Print the status."""
    found = asyncio.run(_status(load_settings()))
    if as_json:
        print_json(found)
        return
    partitions = found.pop("partitions")
    skipped = found.pop("skipped")
    lines = [(name.replace("_", " "), value) for name, value in found.items()]
    lines += [(f"skipped, type {name}", count) for name, count in skipped.items()]
    print_table("Status", ("what", "value"), lines)
    columns = ("topic", "partition", "position", "end", "lag_events")
    print_table("Partitions", columns, ([one[name] for name in columns] for one in partitions))


async def _status(settings: Settings) -> dict[str, Any]:
    """Return the values that are printed.

    All shards hide the same items, so the first one is read. `replayed_interactions` and
    `replayed_deltas` were dropped as already applied; `deduplicated` is their sum. `rolled_back` is
    how often a slot was behind the offset that Kafka says it stored, and `rolled_back_offsets` how
    far, summed over all slots.
    """
    async with state_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        lag = await read_lag(redis, settings, layout)
        shards = layout[settings.deltas_topic]
        items = await _items(redis, settings, shards)
        hidden = await hidden_in(redis, settings.state_prefix, 0)
        categories = await known_categories(redis, settings.state_prefix, shards)
    histories = lag.of(HistoriesHead, settings.interactions_topic)
    rows = lag.of(ShardHead, settings.deltas_topic)
    catalogue = lag.of(CatalogueHead, settings.catalogue_topic)
    replayed = sum(head.replayed for head in histories), sum(head.replayed for head in rows)
    row_bytes, row_count = _blob_bytes(rows), _blobs(rows)
    return {
        "lag_events": lag.lag_events,
        "applied_events": sum(head.applied for head in histories),
        "dead_letters": sum(head.dead for head in histories) + sum(head.dead for head in catalogue),
        "users": _blobs(histories),
        "items": items,
        "catalogue_items": _blobs(catalogue),
        "hidden_items": len(hidden),
        "categories": len(categories),
        "pairs": cells_in(row_count, row_bytes) // 2,
        "rows": row_count,
        "history_bytes": _blob_bytes(histories),
        "row_bytes": row_bytes,
        "pending_lists": lag.pending_lists,
        "moved_items": lag.moved_items,
        "due_users": lag.due_users,
        "replayed_interactions": replayed[0],
        "replayed_deltas": replayed[1],
        "deduplicated": sum(replayed),
        "rolled_back": sum(head.rolled_back for head in lag.of(Head)),
        "rolled_back_offsets": sum(head.rolled_back_offsets for head in lag.of(Head)),
        **_served([head.online_metrics for head in histories]),
        "skipped": _skipped(histories),
        "partitions": [
            {
                "topic": tp.topic,
                "partition": tp.partition,
                "position": position,
                "end": lag.ends[tp],
                "lag_events": max(0, lag.ends[tp] - position),
            }
            for tp, position in lag.positions.items()
        ],
    }


def _blobs(heads: Sequence[Head]) -> int:
    return sum(head.blobs for head in heads)


def _blob_bytes(heads: Sequence[Head]) -> int:
    return sum(head.blob_bytes for head in heads)


def _served(parts: Sequence[OnlineMetrics]) -> dict[str, float | None]:
    """Return how good the lists of sampled users were; None if no event was judged."""
    served = OnlineMetrics(
        hits=sum(part.hits for part in parts),
        reciprocal_ranks=math.fsum(part.reciprocal_ranks for part in parts),
    )
    judged = sum(part.judged for part in parts)
    rates = served.rates(judged) if judged else {"hr": None, "mrr": None}
    return {
        **{f"served_{name}": rate for name, rate in rates.items()},
        "judged_events": judged,
        "unserved_events": sum(part.unserved for part in parts),
        "overtaken_events": sum(part.overtaken for part in parts),
    }


def _skipped(histories: Sequence[HistoriesHead]) -> dict[str, int]:
    """Return the number of events of each unknown type."""
    names = sorted({name for head in histories for name in head.skipped})
    return {name: sum(head.skipped.get(name, 0) for head in histories) for name in names}


async def _items(redis: Redis, settings: Settings, shards: int) -> int:
    """Return the number of items with a user."""
    slots = [
        Slot(redis, SlotKeys(settings.state_prefix, rows_tag(shard))) for shard in range(shards)
    ]
    heads = [await slot.head(ShardHead) or ShardHead() for slot in slots]
    for head in heads:
        check_half_life(head, decay_rule(settings))
    shared = await read_shared(redis, slots, heads)
    return int((shared.values(np.arange(len(shared.registry))).users > 0).sum())
