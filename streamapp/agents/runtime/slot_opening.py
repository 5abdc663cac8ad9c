"""Opens the slot of a partition: reads or creates its head, and refuses state that does not fit."""

import logging
from secrets import token_hex
from typing import TypeVar

from streamapp.agents.runtime.context import StageContext
from streamapp.config.fingerprints import changes
from streamapp.errors import StateError
from streamapp.pipelines import Pipeline
from streamapp.store.slot.head import Head
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import (
    accept_growth,
    check_partitions,
    layout_key,
    partition_count,
    read_state_id,
)
from streamapp.transport.records import TP, Offsets

H = TypeVar("H", bound=Head)

logger = logging.getLogger(__name__)


def rolled_back(head: Head, offsets: Offsets) -> int:
    """Return how many offsets Redis went back; 0 if it did not.

    A position is committed to Kafka after it is stored, so the committed one is never ahead.
    """
    return max(0, (offsets.committed or 0) - head.position)


def gap_remedy(pipeline: Pipeline, topic: str) -> str:
    """Return what an operator can do about records of a topic that Kafka no longer holds."""
    if topic in pipeline.internal_topics:
        return (
            "`streamapp rebuild --from-histories` counts the histories again, and says what is lost"
        )
    if topic == pipeline.catalogue_topic:
        return "read the catalogue and the events again with `streamapp rebuild`"
    return "`streamapp resume --accept-gap` goes on without them"


def _check_position(head: Head, offsets: Offsets, where: str, remedy: str) -> None:
    """Refuse a position that the partition does not have.

    Raises:
        StateError: the topic ends before the position, or begins behind it.
    """
    if head.position > offsets.end:
        raise StateError(
            f"{where}: the state is at offset {head.position}, but the topic ends at "
            f"{offsets.end}; was it created again? Use another GROUP_ID and STATE_PREFIX "
            "to start from scratch"
        )
    if head.position < offsets.beginning:
        raise StateError(
            f"{where}: the state is at offset {head.position}, but the topic begins at "
            f"{offsets.beginning}; the records in between are lost, so counts cannot be exact; "
            f"{remedy}"
        )


async def open_slot(
    context: StageContext, slot: Slot, kind: type[H], tp: TP, offsets: Offsets, results: str
) -> H:
    """Return the head of the slot that follows `tp`; create the slot if the group is new.

    Args:
        context: Settings and connections.
        slot: The slot; its state id is set.
        kind: The kind of its head.
        tp: The partition whose records the slot applies.
        offsets: The offsets of the partition in Kafka.
        results: The settings that change counts.

    Raises:
        ConfigError: the partition was added to a topic that must not get more of them.
        StateError: the state is gone, has no id, was made under other settings, or names offsets
            that the partition does not have.
    """
    begun = await partition_count(context.redis, context.pipeline.state_prefix, tp.topic)
    # If the topic is unknown, Redis is empty, and the missing head below is the better message.
    if 0 < begun <= tp.partition:
        found, prefix = tp.partition + 1, context.pipeline.state_prefix
        if tp.topic in context.pipeline.event_topics:
            await accept_growth(context.redis, prefix, tp.topic, found, begun)
        else:
            check_partitions(tp.topic, found, begun)
    slot.state_id = await read_state_id(context.redis, context.pipeline.state_prefix)
    head = await slot.head(kind)
    where = f"{tp.topic}[{tp.partition}]"
    if head is None and offsets.committed:
        raise StateError(
            f"{where}: the group has committed offset {offsets.committed}, but Redis holds no "
            f"state for it ({slot.keys.head} is missing); restore Redis from a backup, or "
            "count again from the first event with `streamapp rebuild`; where that was just "
            "done, start the worker again"
        )
    if not slot.state_id:
        # A slot that is made now would belong to no state, and what it counts would be lost.
        raise StateError(
            f"{where}: redis holds no state id "
            f"({layout_key(context.pipeline.state_prefix)} is missing): the state was removed "
            "under this worker; start the worker again"
        )
    if head is None:
        await slot.create(offsets.beginning, results)
        head = await slot.head(kind)
        if head is None:
            raise StateError(f"{where}: Redis lost {slot.keys.head} right after it was made")
    if head.state_id != slot.state_id:
        raise StateError(
            f"{where}: {slot.keys.head} belongs to another state than the rest under "
            f"{context.pipeline.state_prefix}; count again with `streamapp rebuild`"
        )
    if head.results != results:
        raise StateError(
            f"{where}: the state was made under other settings: {changes(head.results, results)}; "
            "set them back, or count again from the first event with `streamapp rebuild`"
        )
    _check_position(head, offsets, where, gap_remedy(context.pipeline, tp.topic))
    if lost := rolled_back(head, offsets):
        await slot.count_rollback(lost)
        logger.warning(
            "%s: offset %d was stored once, the state is at %d; reading on from there",
            where, offsets.committed, head.position,
        )  # fmt: skip
    return head


async def claim_slot(slot: Slot) -> str:
    """Claim a slot; return the token by which its owner is known from now on."""
    owner = token_hex(8)
    await slot.ownership.claim(owner)
    return owner
