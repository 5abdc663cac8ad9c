"""A snapshot: the counts of all shards, read back from Redis piece by piece.

It is meant for a drained app. A state that changes while it is read, or whose rows are ahead of
their stored position, is refused, because its parts would not belong together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.list_format import without_details
from streamapp.core.messages.interaction_batch import partition_of
from streamapp.errors import StateError
from streamapp.inspection.counts_merge import Counts, CountsMerge
from streamapp.inspection.norms_reader import read_norms
from streamapp.inspection.shared_norms import disputed, read_shared
from streamapp.pipelines import Pipeline
from streamapp.store.slot.blob import has_content
from streamapp.store.slot.head import Head, HistoriesHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, details_key, histories_tag, pattern_of, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import layout_key

Advance = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

_ROWS_AT_ONCE = 500
_BYTES_AT_ONCE = 1_000_000
_LISTS_AT_ONCE = 200
_NO_LIST = b"null"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of Redis.

    Attributes:
        counts: The counts; the owner of each row and norm decides.
        disputed: Items whose norm is not the one that its owner shares with other shards.
        histories: Number of histories.
        applied: Interactions that were applied.
        positions: Position of every shard.
        as_of: Newest event time of a history in seconds; -inf without any.
    """

    counts: Counts
    disputed: list[str]
    histories: int
    applied: int
    positions: list[int]
    as_of: float


async def read_layout(redis: Redis, pipeline: Pipeline) -> dict[str, int]:
    """Return the number of partitions by topic with which the state began.

    Raises:
        StateError: there is no state.
    """
    stored: Any = await redis.hgetall(layout_key(pipeline.state_prefix))
    topics = pipeline.topics
    layout = {topic: int(stored[topic.encode()]) for topic in topics if topic.encode() in stored}
    if missing := [topic for topic in topics if topic not in layout]:
        raise StateError(
            f"redis holds no state of {missing[0]}: start a worker first, or check REDIS_URL, "
            f"EVENT_TOPICS and STATE_PREFIX ({pipeline.state_prefix})"
        )
    return layout


def slots_of(
    redis: Redis, pipeline: Pipeline, layout: dict[str, int]
) -> tuple[list[Slot], list[Slot]]:
    """Return the slots of histories and those of rows."""
    tags = (
        map(histories_tag, range(layout[pipeline.interactions_topic])),
        map(rows_tag, range(layout[pipeline.deltas_topic])),
    )
    histories, rows = (
        [Slot(redis, SlotKeys(pipeline.state_prefix, tag)) for tag in some] for some in tags
    )
    return histories, rows


async def read_snapshot(redis: Redis, pipeline: Pipeline, advance: Advance) -> Snapshot:
    """Return the counts of all shards; no call to Redis asks for more than about a megabyte.

    Args:
        redis: A client that returns bytes.
        pipeline: The pipeline whose counts are read.
        advance: Called with how many rows were read, and of how many.

    Raises:
        StateError: there is no state, it changes, or stored values are not rows.

    Cost: 24 bytes of memory a cell, three times that at the end.
    """
    layout = await read_layout(redis, pipeline)
    histories, rows = slots_of(redis, pipeline, layout)
    users = [await slot.head(HistoriesHead) or HistoriesHead() for slot in histories]
    shards = [await slot.head(ShardHead) or ShardHead() for slot in rows]
    shared = await read_shared(redis, rows, shards)
    total, collection = sum(head.blobs for head in shards), CountsMerge(shared)
    for shard, (slot, head) in enumerate(zip(rows, shards, strict=True)):
        norms = await read_norms(slot, head, pipeline.decay)
        registry = await slot.item_ids.registry()
        owned = _owned(registry, shard, len(shards))
        collection.enter(registry.ids, norms, owned)
        for some in _portions(owned, head):
            blobs = await slot.blobs.read(some.tolist())
            collection.add(slot, some, blobs, head.position)
            advance(collection.rows, total)
    await check_still(redis, pipeline, [head.position for head in shards])
    counts = collection.finish()
    return Snapshot(
        counts,
        disputed(counts, shared),
        histories=sum(head.blobs for head in users),
        applied=sum(head.applied for head in users),
        positions=[head.position for head in shards],
        as_of=max(head.newest_ts for head in users),
    )


async def check_still(redis: Redis, pipeline: Pipeline, positions: Sequence[int]) -> None:
    """Refuse a state whose shards are no longer at `positions`.

    Raises:
        StateError: a shard moved.
    """
    _, slots = slots_of(redis, pipeline, await read_layout(redis, pipeline))
    heads = [await slot.head(Head) or Head() for slot in slots]
    if [head.position for head in heads] != list(positions):
        raise StateError(
            "the state changed while it was read: events are still coming in; "
            "stop the producers and try again"
        )


async def read_lists(redis: Redis, keys: Sequence[str], advance: Advance) -> list[bytes | None]:
    """Return the values of `keys`, each read by its own call, with many calls in flight."""
    found: list[bytes | None] = []
    for start in range(0, len(keys), _LISTS_AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys[start : start + _LISTS_AT_ONCE]:
                pipe.get(key)
            found += await pipe.execute()
        advance(len(found), len(keys))
    return found


async def read_published(
    redis: Redis, settings: Settings, names: Sequence[str], advance: Advance
) -> list[bytes | None]:
    """Return lists with their details, by their names behind LIST_PREFIX; None for none.

    If readers see ids alone, the details are in the state. A list of which the two disagree is
    returned as readers see it, or as a value that is no list, so that a comparison finds it.
    """
    keys = [settings.list_prefix + name for name in names]
    served = await read_lists(redis, keys, advance)
    if settings.list_details == "full":
        return served
    more = [details_key(settings.state_prefix, key) for key in keys]
    found: list[bytes | None] = []
    for shown, whole in zip(served, await read_lists(redis, more, advance), strict=True):
        same = without_details(whole or b"") == (shown or b"")
        found.append(whole if same else shown or _NO_LIST)
    return found


async def names_under(redis: Redis, prefix: str) -> list[str]:
    """Return the rest of each key that begins with `prefix`, in no order."""
    keys = {key async for key in redis.scan_iter(pattern_of(prefix), count=1_000)}
    return [key.decode().removeprefix(prefix) for key in keys]


async def holds_histories(
    redis: Redis, pipeline: Pipeline, layout: dict[str, int], users: Sequence[str]
) -> list[bool]:
    """Return for each user whether there is a history."""
    partitions, held = layout[pipeline.interactions_topic], []
    for start in range(0, len(users), _LISTS_AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:
            for user in users[start : start + _LISTS_AT_ONCE]:
                tag = histories_tag(partition_of(user, partitions))
                pipe.strlen(SlotKeys(pipeline.state_prefix, tag).blob(user))
            held += [has_content(size) for size in await pipe.execute()]
    return held


def _portions(numbers: Ints, head: Head) -> Iterator[Ints]:
    """Split the rows of a slot so that each portion has about `_BYTES_AT_ONCE`."""
    mean_bytes = head.blob_bytes / max(1, head.blobs)
    size = max(1, min(_ROWS_AT_ONCE, int(_BYTES_AT_ONCE / max(1.0, mean_bytes))))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _owned(registry: Registry, shard: int, shards: int) -> Ints:
    """Return the numbers of the items whose rows a shard has."""
    numbers: Ints = np.arange(len(registry), dtype=np.int32)
    owned: Ints = numbers[registry.shards(shards, numbers) == shard]
    return owned
