"""Lag: how far the state is behind the topics, and waiting until it is not.

Heads are read before the ends of the topics. The broker has a stage's messages before the stage
moves its position. So if every position is at an end that was read later, no record is in between.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.arrays.bitmap import flagged
from streamapp.core.list_kinds import TRENDING
from streamapp.errors import StateError, StreamappError
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import followers, main_pipeline
from streamapp.store.slot.keys import SlotKeys, list_name
from streamapp.store.slot.slot import Head, Slot
from streamapp.store.versions import matched_text, positions_text, published_text
from streamapp.transport.offsets import pass_gaps, read_offsets
from streamapp.transport.records import TP

_POLL_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the app is, and what it still has to do.

    Attributes:
        heads: The head of the slot of each partition; None if there is none yet.
        positions: First offset of each partition that is not applied.
        ends: Offset behind the last record of each partition.
        unswept: Partitions whose lists for users were not yet compared with all item lists.
        unmerged: Whether the trending list is older than a checkpoint of a shard.
        unmatched: Whether content neighbours may still have to be computed.
    """

    heads: Mapping[TP, Head | None]
    positions: Mapping[TP, int]
    ends: Mapping[TP, int]
    unswept: int = 0
    unmerged: bool = False
    unmatched: bool = False

    @property
    def lag_events(self) -> int:
        """Records behind the stored positions."""
        return sum(max(0, self.ends[tp] - position) for tp, position in self.positions.items())

    @property
    def pending_lists(self) -> int:
        """Lists that still have to be published because a row changed."""
        return self._numbers("dirty")

    @property
    def moved_items(self) -> int:
        """Items whose norm changed and is not yet in all lists; each shard counts its own."""
        return self._numbers("moved")

    @property
    def due_users(self) -> int:
        """Users whose list still has to be published."""
        return self.total("due_users")

    @property
    def drained(self) -> bool:
        """Whether all records are applied and all lists are as the counts say."""
        items = self.lag_events or self.pending_lists or self.moved_items
        others = self.unmerged or self.unmatched or self.due_users or self.unswept
        return not (items or others)

    def number(self, topic: str, field: str) -> int:
        """Return the sum of a counter over the partitions of a topic."""
        return sum(head.number(field) for head in self.of(topic))

    def total(self, field: str) -> int:
        """Return the sum of a counter over all partitions."""
        return sum(head.number(field) for head in self.heads.values() if head)

    def of(self, topic: str) -> list[Head]:
        """Return the heads of a topic's partitions; partitions without a head are left out."""
        return [head for tp, head in self.heads.items() if tp.topic == topic and head]

    def _numbers(self, field: str) -> int:
        heads = [head for head in self.heads.values() if head]
        return sum(len(flagged(head.fields.get(field, b""))) for head in heads)


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
            heads[TP(topic, partition)] = await Slot(redis, keys).head()
    _check_content(heads[TP(settings.deltas_topic, 0)], settings)
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
        _unmerged([head for tp, head in heads.items() if tp.topic == settings.deltas_topic]),
        settings.content_neighbours and _unmatched(heads, settings),
    )


async def _unswept(redis: Redis, heads: Mapping[TP, Head | None], settings: Settings) -> int:
    """Return how many partitions of histories were not yet compared with all published lists.

    Their heads were read first, so they cannot be ahead of the lists that are read here.
    """
    shards = [head for tp, head in heads.items() if tp.topic == settings.deltas_topic]
    trending: bytes | None = await redis.get(settings.list_prefix + list_name(TRENDING, ""))  # type: ignore[assignment]
    published = published_text(
        ((head.position, head.fields.get("published")) if head else None for head in shards),
        trending or b"",
    )
    users = [head for tp, head in heads.items() if tp.topic == settings.interactions_topic]
    return sum(head.fields.get("seen", b"").decode() != published for head in users if head)


def _unmerged(shards: Sequence[Head | None]) -> bool:
    """Return whether the trending list is older than the stored position of a shard."""
    positions = positions_text(head.position if head else None for head in shards)
    first = shards[0]
    return first is not None and first.fields.get("merged", b"").decode() != positions


def _check_content(head: Head | None, settings: Settings) -> None:
    """Refuse a state that was begun with another value of CONTENT_NEIGHBOURS.

    Raises:
        StateError: the values differ.
    """
    made_with = head and b"content_neighbours" in head.fields.get("results", b"")
    if head and made_with != settings.content_neighbours:
        raise StateError(
            f"STREAMAPP_CONTENT_NEIGHBOURS is {json.dumps(settings.content_neighbours)}, which is "
            "not what the state was begun with; set it back"
        )


def _unmatched(heads: Mapping[TP, Head | None], settings: Settings) -> bool:
    """Return whether something changed since all content neighbours were there."""
    catalogue, shards = (
        [head for tp, head in heads.items() if tp.topic == topic]
        for topic in (settings.catalogue_topic, settings.deltas_topic)
    )
    text = matched_text(
        (head.position if head else None for head in catalogue),
        ((head.position, head.fields.get("published")) if head else None for head in shards),
    )
    return shards[0] is not None and shards[0].fields.get("matched", b"").decode() != text


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
