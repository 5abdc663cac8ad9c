"""What a rebuild would remove, count again and lose, and what speaks against it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from streamapp.cli.list_withdrawal import all_lists, outdated_lists
from streamapp.config.settings import Settings
from streamapp.errors import StateError, StreamappError
from streamapp.inspection.reset import count_keys
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.head import Head, HistoriesHead
from streamapp.store.slot.keys import SlotKeys, histories_tag
from streamapp.store.slot.slot import Slot
from streamapp.transport.group_members import live_members
from streamapp.transport.records import TP, Offsets


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """What a rebuild would do, as Kafka and Redis are now.

    Attributes:
        live_workers: Members of the consumer group.
        state_keys: Keys of the state.
        other_keys: Keys under the state prefix that are not of the state; they stay.
        lists: Keys of the lists to remove.
        applied_events: Interactions that the state holds, as far as it can be read.
        records_to_count: Records of the event topics.
        records_lost: By topic, records that the state has applied and Kafka no longer holds.
    """

    live_workers: Sequence[str]
    state_keys: int
    other_keys: int
    lists: Sequence[str]
    applied_events: int
    records_to_count: int
    records_lost: Mapping[str, int]

    def report(self) -> dict[str, Any]:
        """Return the plan as it is printed."""
        return {
            "live_workers": list(self.live_workers),
            "state_keys_to_remove": self.state_keys,
            "other_keys_that_stay": self.other_keys,
            "lists_to_remove": len(self.lists),
            "applied_events": self.applied_events,
            "records_to_count": self.records_to_count,
            "records_lost": dict(self.records_lost),
        }

    def check(self, *, accept_loss: bool) -> None:
        """Refuse a rebuild beside live workers, or one that loses records nobody gave up.

        Raises:
            StreamappError: workers live, or records are lost without `accept_loss`.
        """
        check_nobody_lives(self.live_workers)
        if self.records_lost and not accept_loss:
            lost = ", ".join(
                f"{count:,} records of {topic}" for topic, count in self.records_lost.items()
            )
            raise StreamappError(
                f"kafka no longer holds {lost} that the state has applied, so their counts would "
                "be lost; nothing was changed; repeat with --accept-loss to give them up"
            )


def check_nobody_lives(live_workers: Sequence[str]) -> None:
    """Refuse to change the state beside workers.

    Raises:
        StreamappError: the consumer group has members.
    """
    if live_workers:
        raise StreamappError(
            f"workers live: {', '.join(live_workers)}; stop them, and wait for "
            "SESSION_TIMEOUT if one was killed or has an INSTANCE_ID"
        )


async def read_plan(
    redis: Redis,
    settings: Settings,
    offsets: Mapping[TP, Offsets],
    *,
    drop_lists: bool,
) -> RebuildPlan:
    """Return what a rebuild would do.

    Args:
        redis: A client that answers in bytes.
        settings: Where the state and the topics are.
        offsets: The offsets of every partition of the topics that the state depends on.
        drop_lists: Whether all lists are to be removed.

    Raises:
        StreamappError: Kafka or Redis fails.

    Cost: two to five scans over all keys of the server.
    """
    own, others = await count_keys(redis, settings.state_prefix)
    return RebuildPlan(
        await live_members(settings),
        own,
        others,
        await (all_lists if drop_lists else outdated_lists)(redis, settings),
        await _applied_events(redis, settings, offsets),
        sum(
            known.end - known.beginning
            for tp, known in offsets.items()
            if tp.topic in settings.event_topics
        ),
        # Without a key there is no state, and nothing to lose.
        await _lost_by_topic(redis, settings, offsets) if own else {},
    )


def records_lost(head: Head | None, offsets: Offsets) -> int:
    """Return how many records of a partition a slot has applied that Kafka no longer holds.

    Offsets are counted, so markers of transactions count too. If the head cannot be read, the slot
    may have applied everything from the first record on.

    Args:
        head: The head of the slot that follows the partition; None if it is missing or damaged.
        offsets: The offsets of the partition.
    """
    if head is None:
        return offsets.beginning
    dropped = min(head.position, offsets.beginning) - head.begun
    # A topic that was made again ends before the position.
    beyond = head.position - max(offsets.end, head.begun)
    return max(0, dropped) + max(0, beyond)


async def _lost_by_topic(
    redis: Redis, settings: Settings, offsets: Mapping[TP, Offsets]
) -> dict[str, int]:
    """Return the records that would be lost, of topics that would lose any."""
    main, lost = main_pipeline(settings), Counter[str]()
    for tp, known in offsets.items():
        if tp.topic in main.source_topics:
            keys = SlotKeys(settings.state_prefix, tag_of(main, tp.topic, tp.partition))
            lost[tp.topic] += records_lost(await _head(redis, keys, Head), known)
    return {topic: count for topic, count in lost.items() if count}


async def _applied_events(redis: Redis, settings: Settings, offsets: Mapping[TP, Offsets]) -> int:
    """Return the interactions of all histories whose head can be read."""
    tags = [
        histories_tag(tp.partition) for tp in offsets if tp.topic == settings.interactions_topic
    ]
    heads = [
        await _head(redis, SlotKeys(settings.state_prefix, tag), HistoriesHead) for tag in tags
    ]
    return sum(head.applied for head in heads if isinstance(head, HistoriesHead))


async def _head(redis: Redis, keys: SlotKeys, kind: type[Head]) -> Head | None:
    """Return a head; None if it is missing or damaged, which a rebuild repairs."""
    try:
        return await Slot(redis, keys).head(kind)
    except StateError:
        return None
