"""The heads of the histories of a new state, as far as they differ from those of the old one."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from redis.asyncio import Redis

from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.errors import StateError
from streamapp.pipelines import Pipeline
from streamapp.store.slot.head import HistoriesHead, IntakeHead
from streamapp.store.slot.keys import SlotKeys, intake_tag
from streamapp.store.slot.slot import Slot


async def intake_positions(
    redis: Redis, main: Pipeline, partitions: Mapping[str, int]
) -> dict[str, int]:
    """Return the position in each event partition, by the name of the source.

    Args:
        redis: A client that answers in bytes.
        main: The main pipeline.
        partitions: How many each event topic has.
    """
    positions = {}
    for topic in main.event_topics:
        for number in range(partitions[topic]):
            keys = SlotKeys(main.state_prefix, intake_tag(topic, number))
            if (head := await Slot(redis, keys).head(IntakeHead)) is not None:
                positions[f"{topic}/{number}"] = head.position
    return positions


def check_cuts(heads: Sequence[HistoriesHead], intake: Mapping[str, int], topic: str) -> None:
    """Refuse to change the partitions where a cut was sent to some of them only.

    Raises:
        StateError: a worker died while it sent a cut. Its other parts are sent again, and the
            applied offsets of the old partitions say where.
    """
    for head in heads:
        for source, at in head.applied_offsets.items():
            if at > intake.get(source, 0):
                raise StateError(
                    f"a worker died before it had sent all interactions below offset {at} of "
                    f"{source} to {topic}, so its partitions cannot change now: rebuild with the "
                    "old PARTITIONS first, and let a worker run until `streamapp status` says a "
                    "lag of 0"
                )


def new_heads(
    pipeline: Pipeline,
    old: Sequence[HistoriesHead],
    positions: Sequence[int],
    intake: Mapping[str, int],
    state_id: str,
) -> dict[int, dict[str, bytes]]:
    """Return, by new partition, the fields that change.

    A slot that is dissolved leaves its counters to the slot with its number modulo the new number.
    If the number of partitions changes, all partitions have applied what intake has sent.

    Args:
        pipeline: The pipeline.
        old: The old heads, in order.
        positions: The first offset of each new partition that is not applied.
        intake: The position in each event partition, by the name of the source.
        state_id: The id of the new state.
    """
    found = {}
    for number, position in enumerate(positions):
        head = old[number] if number < len(old) else HistoriesHead()
        for other in old[len(positions) :][number :: len(positions)]:
            head = _merged(head, other)
        is_new = number >= len(old) or old[number].position != position
        if len(old) != len(positions):
            head = replace(head, applied_offsets=dict(intake))
        if is_new:
            head = replace(head, last_record=b"", begun=position)
        found[number] = head.encode() | {
            "generation": state_id.encode(),
            "results": pipeline.results.encode(),
            "begun": b"%d" % head.begun,
            "rolled_back": b"%d" % head.rolled_back,
            "rolled_back_offsets": b"%d" % head.rolled_back_offsets,
            "seen": b"",
            "position": b"%d" % position,
        }
    return found


def _merged(head: HistoriesHead, other: HistoriesHead) -> HistoriesHead:
    skipped = dict(head.skipped)
    for name, count in other.skipped.items():
        skipped[name] = skipped.get(name, 0) + count
    return replace(
        head,
        applied=head.applied + other.applied,
        dead=head.dead + other.dead,
        replayed=head.replayed + other.replayed,
        skipped=skipped,
        newest_ts=max(head.newest_ts, other.newest_ts),
        online_metrics=OnlineMetrics(
            **{
                one.name: getattr(head.online_metrics, one.name)
                + getattr(other.online_metrics, one.name)
                for one in fields(OnlineMetrics)
            }
        ),
        rolled_back=head.rolled_back + other.rolled_back,
        rolled_back_offsets=head.rolled_back_offsets + other.rolled_back_offsets,
    )
