"""Where to start reading a partition, and when not to start at all."""

import json
import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec

from streamapp.agents.runtime.context import StageContext
from streamapp.errors import StateError
from streamapp.store.slot.head import Head
from streamapp.store.slot.manifest import check_partitions, partition_count, read_generation
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, KafkaRecord, Offsets

T = TypeVar("T")
H = TypeVar("H", bound=Head)

logger = logging.getLogger(__name__)


def went_back(head: Head, offsets: Offsets) -> bool:
    """Say whether Redis went back in time: offsets are committed after the state is stored."""
    return rolled_back(head, offsets) > 0


def rolled_back(head: Head, offsets: Offsets) -> int:
    """Return how many offsets Redis went back."""
    return max(0, (offsets.committed or 0) - head.position)


def decoded(decode: Callable[[bytes], T], tp: TP, record: KafkaRecord) -> T:
    """Return what an internal record holds.

    Raises:
        StateError: someone else wrote to the internal topic.
    """
    try:
        return decode(record.value or b"")
    except msgspec.DecodeError as error:
        raise StateError(
            f"{tp.topic}[{tp.partition}] offset {record.offset}: not a message of this app "
            f"({error}); only streamapp may write to this topic"
        ) from None


def _changes(before: str, now: str) -> str:
    """Say which settings of two canonical JSON texts differ, and how."""
    old, new = (json.loads(text or "{}") for text in (before, now))
    return ", ".join(
        f"STREAMAPP_{name.upper()} was {json.dumps(old.get(name))}, is {json.dumps(new.get(name))}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


async def open_slot(
    outside: StageContext, slot: Slot, kind: type[H], tp: TP, offsets: Offsets, results: str
) -> H:
    """Return the head of the slot that follows `tp`; make the slot if the group is new.

    Args:
        outside: Settings and connections.
        slot: The slot; it is told its generation.
        kind: The kind of its head.
        tp: The partition whose records it applies.
        offsets: What Kafka says of the partition.
        results: The settings that change counts.

    Raises:
        ConfigError: the partition was added after the state was begun.
        StateError: the state is gone, was made under other settings, or names offsets that the
            partition does not have.
    """
    begun = await partition_count(outside.redis, outside.pipeline.state_prefix, tp.topic)
    # Where nothing is known of the topic, Redis is empty, and the head below says so.
    if 0 < begun <= tp.partition:
        check_partitions(tp.topic, tp.partition + 1, begun)
    slot.generation = await read_generation(outside.redis, outside.pipeline.state_prefix)
    head = await slot.head(kind)
    where = f"{tp.topic}[{tp.partition}]"
    if head is None:
        if offsets.committed:
            raise StateError(
                f"{where}: the group has committed offset {offsets.committed}, but Redis holds no "
                f"state for it ({slot.keys.head} is missing); restore Redis from a backup, or "
                "count again from the first event with `streamapp rebuild`; where that was just "
                "done, start the worker again"
            )
        await slot.create(offsets.beginning, results)
        head = await slot.head(kind)
        if head is None:
            raise StateError(f"{where}: Redis lost {slot.keys.head} right after it was made")
    if head.state_id != slot.generation:
        raise StateError(
            f"{where}: {slot.keys.head} belongs to another state than the rest under "
            f"{outside.pipeline.state_prefix}; count again with `streamapp rebuild`"
        )
    if head.results != results:
        raise StateError(
            f"{where}: the state was made under other settings: {_changes(head.results, results)}; "
            "set them back, or count again from the first event with `streamapp rebuild`"
        )
    if head.position > offsets.end:
        raise StateError(
            f"{where}: the state is at offset {head.position}, but the topic ends at "
            f"{offsets.end}; was it made anew? Use another GROUP_ID and STATE_PREFIX to start anew"
        )
    if head.position < offsets.beginning:
        raise StateError(
            f"{where}: the state is at offset {head.position}, but the topic begins at "
            f"{offsets.beginning}; the records in between are lost, so counts cannot be exact"
        )
    if went_back(head, offsets):
        await slot.note_rollback(rolled_back(head, offsets))
        logger.warning(
            "%s: offset %d was stored once, the state is at %d; reading on from there",
            where, offsets.committed, head.position,
        )  # fmt: skip
    return head
