"""Lag: how far the state is behind the topics, and waiting until it is not.

Heads are read before the ends of the topics. The broker has a stage's messages before the stage
moves its position. So if every position is at an end that was read later, no record is in between.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.arrays.flag_codec import unpack_flags
from streamapp.core.list_kinds import TRENDING
from streamapp.core.messages.norm_update import positions_in
from streamapp.errors import StateError, StreamappError
from streamapp.inspection.slot_tags import head_type_of, tag_of
from streamapp.pipelines import followers, main_pipeline, pipelines
from streamapp.store.input_versions import matched_text, positions_text, published_text
from streamapp.store.slot.head import CatalogueHead, Head, HistoriesHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, list_name
from streamapp.store.slot.slot import Slot
from streamapp.transport.offsets import pass_gaps, read_offsets
from streamapp.transport.records import TP

_POLL_INTERVAL_S = 0.2

H = TypeVar("H", bound=Head)


@dataclass(frozen=True, slots=True)
class Lag:
    """The progress of the app, and its remaining work.

    Attributes:
        heads: The head of the slot of each partition; None if there is none yet.
        positions: First offset of each partition that is not applied.
        ends: Offset behind the last record of each partition.
        unswept: Partitions whose lists for users were not yet compared with all item lists.
        outdated_shards: Shards whose lists do not reflect all norms yet that other shards shared.
        unmerged: Whether the trending list is older than a checkpoint of a shard.
        unmatched: Whether content neighbours may still have to be computed.
    """

    heads: Mapping[TP, Head | None]
    positions: Mapping[TP, int]
    ends: Mapping[TP, int]
    unswept: int = 0
    outdated_shards: int = 0
    unmerged: bool = False
    unmatched: bool = False

    @property
    def lag_events(self) -> int:
        """Records behind the stored positions."""
        return sum(max(0, self.ends[tp] - position) for tp, position in self.positions.items())

    @property
    def pending_lists(self) -> int:
        """Lists that still have to be published because a row changed."""
        return sum(len(unpack_flags(head.dirty)) for head in self.of(ShardHead))

    @property
    def moved_items(self) -> int:
        """Items whose norm changed and is not yet in all lists; each shard counts its own."""
        return sum(len(unpack_flags(head.moved)) for head in self.of(ShardHead))

    @property
    def due_users(self) -> int:
        """Users whose list still has to be published."""
        return sum(head.due_users for head in self.of(HistoriesHead))

    @property
    def drained(self) -> bool:
        """Whether all records are applied and all lists are as the counts say."""
        items = self.lag_events or self.pending_lists or self.moved_items or self.outdated_shards
        others = self.unmerged or self.unmatched or self.due_users or self.unswept
        return not (items or others)

    def of(self, head_type: type[H], topic: str | None = None) -> list[H]:
        """Return the existing heads of a type, of one topic or of all."""
        return [
            head
            for tp, head in self.heads.items()
            if isinstance(head, head_type) and topic in {None, tp.topic}
        ]


async def read_lag(redis: Redis, settings: Settings, layout: Mapping[str, int]) -> Lag:
    """Return how far the app is.

    Args:
        redis: A client that answers in bytes.
        settings: Where the state and the topics are.
        layout: Number of partitions by topic, of those that end up in the state.

    Raises:
        StateError: Kafka does not answer, or CONTENT_NEIGHBOURS differs from the setting that the
            state was begun with.
    """
    heads: dict[TP, Head | None] = {}
    for topic, pipeline in followers(settings).items():
        for partition in range(layout[topic]):
            keys = SlotKeys(pipeline.state_prefix, tag_of(pipeline, topic, partition))
            heads[TP(topic, partition)] = await Slot(redis, keys).head(
                head_type_of(pipeline, topic)
            )
    shards = _partitions(heads, ShardHead, settings.deltas_topic)
    _check_content(shards[0], settings)
    offsets = await read_offsets(settings, heads, {})
    sources = main_pipeline(settings).source_topics
    behind = {
        tp: head.position
        for tp, head in heads.items()
        if head and tp.topic in sources and head.position < offsets[tp].end
    }
    passed = await pass_gaps(settings, behind)
    return Lag(
        heads,
        {
            tp: passed.get(tp, head.position) if head else offsets[tp].beginning
            for tp, head in heads.items()
        },
        {tp: offsets[tp].end for tp in heads},
        await _unswept(redis, heads, settings) if settings.user_list_ttl else 0,
        sum(_outdated_shards(heads, one.deltas_topic) for one in pipelines(settings).values()),
        shards[0] is not None and shards[0].trending_version != positions_text(shards),
        settings.content_neighbours and _unmatched(heads, settings),
    )


async def _unswept(redis: Redis, heads: Mapping[TP, Head | None], settings: Settings) -> int:
    """Return how many partitions of histories were not yet compared with all published lists.

    Their heads were read first, so they cannot be ahead of the lists that are read here.
    """
    shards = _partitions(heads, ShardHead, settings.deltas_topic)
    trending: bytes | None = await redis.get(settings.list_prefix + list_name(TRENDING, ""))  # type: ignore[assignment]
    published = published_text(shards, trending or b"")
    users = _partitions(heads, HistoriesHead, settings.interactions_topic)
    return sum(head.user_lists_version != published for head in users if head)


def _outdated_shards(heads: Mapping[TP, Head | None], topic: str) -> int:
    """Return how many shards do not reflect all norms that others shared."""
    shards = _partitions(heads, ShardHead, topic)
    shared = np.array([head.norms_shared if head else 0 for head in shards])
    outdated = 0
    for number, head in enumerate(shards):
        if head is not None:
            behind = positions_in(head.norms_seen, len(shards)) < shared
            behind[number] = False
            outdated += bool(behind.any())
    return outdated


def _check_content(head: Head | None, settings: Settings) -> None:
    """Refuse a state that was begun with another value of CONTENT_NEIGHBOURS.

    Raises:
        StateError: the values differ.
    """
    made_with = head and "content_neighbours" in head.results
    if head and made_with != settings.content_neighbours:
        raise StateError(
            f"STREAMAPP_CONTENT_NEIGHBOURS is {json.dumps(settings.content_neighbours)}, which is "
            "not what the state was begun with; set it back"
        )


def _unmatched(heads: Mapping[TP, Head | None], settings: Settings) -> bool:
    """Return whether something changed since all content neighbours were there."""
    catalogue = _partitions(heads, CatalogueHead, settings.catalogue_topic)
    shards = _partitions(heads, ShardHead, settings.deltas_topic)
    text = matched_text(catalogue, shards)
    return shards[0] is not None and shards[0].content_version != text


def _partitions(heads: Mapping[TP, Head | None], kind: type[H], topic: str) -> list[H | None]:
    """Return the head of every partition of a topic; None if there is none yet."""
    return [
        head if isinstance(head, kind) else None for tp, head in heads.items() if tp.topic == topic
    ]


async def wait_until_drained(
    redis: Redis,
    settings: Settings,
    layout: Mapping[str, int],
    timeout_s: float,
    tell: Callable[[Lag], None],
) -> Lag:
    """Wait until every record is applied and every list is published.

    Args:
        redis: A client that answers in bytes.
        settings: Where the state and the topics are.
        layout: Number of partitions by topic.
        timeout_s: How long to wait.
        tell: Called with the lag after each look.

    Raises:
        StreamappError: the wait takes longer.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        lag = await read_lag(redis, settings, layout)
        tell(lag)
        if lag.drained:
            return lag
        if time.monotonic() >= deadline:
            raise StreamappError(
                f"not drained after {timeout_s:g} s: {lag.lag_events} records to apply, "
                f"{lag.pending_lists} lists to publish, {lag.moved_items} norms to "
                f"bring into lists, {lag.due_users} lists for users to publish, "
                f"{lag.unswept} partitions of users to look through"
                f"{', content neighbours to compute' if lag.unmatched else ''}; is a worker "
                "running, and has the input stopped?"
            )
        await asyncio.sleep(_POLL_INTERVAL_S)
