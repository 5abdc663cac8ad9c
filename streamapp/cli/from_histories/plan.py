"""What a rebuild from histories would do, and what speaks against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from streamapp.cli.rebuild_plan import check_nobody_lives
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StateError, StreamappError
from streamapp.inspection.snapshot import read_layout
from streamapp.pipelines import Pipeline, pipelines
from streamapp.store.slot.head import HistoriesHead, IntakeHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, histories_tag, intake_tag, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import check_kinds, read_state_id
from streamapp.transport.group_members import live_members
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP, Offsets
from streamapp.transport.topics import administration, partition_counts

_NOTHING = Offsets(0, 0, None)
"""The offsets of a partition that Kafka does not have."""


@dataclass(frozen=True, slots=True)
class OldState:
    """The state as it is, and what a rebuild from its histories would do.

    Attributes:
        live_workers: Members of the consumer group.
        state_id: The id of the state.
        before: Partitions of each internal topic in the state.
        after: Partitions of each internal topic that the new state will have.
        histories: The heads of all histories by kind, in order of their partitions.
        waiting: By partition of an internal topic, the first offset that is not applied, and the
            offset behind the last record.
        lost: By topic, records that are not applied and that Kafka no longer holds, or applied
            records of a topic that was made again.
    """

    live_workers: Sequence[str]
    state_id: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    histories: Mapping[str, Sequence[HistoriesHead]]
    waiting: Mapping[TP, tuple[int, int]]
    lost: Mapping[str, int]

    def report(self) -> dict[str, Any]:
        """Return the plan as it is printed."""
        heads = [head for some in self.histories.values() for head in some]
        return {
            "live_workers": list(self.live_workers),
            "histories": sum(head.blobs for head in heads),
            "records_to_apply_first": sum(end - at for at, end in self.waiting.values()),
            "partitions_before": dict(self.before),
            "partitions_after": dict(self.after),
            "records_lost": dict(self.lost),
        }

    def check(self, *, accept_loss: bool) -> None:
        """Refuse beside live workers, or to lose records that nobody gave up.

        Raises:
            StreamappError: workers live, or records are lost without `accept_loss`.
        """
        check_nobody_lives(self.live_workers)
        if self.lost and not accept_loss:
            lost = ", ".join(f"{count:,} records of {topic}" for topic, count in self.lost.items())
            raise StreamappError(
                f"kafka no longer holds {lost} that the histories or the trending lists need; "
                "nothing was changed; repeat with --accept-loss to give them up"
            )


async def read_old_state(redis: Redis, settings: Settings) -> OldState:
    """Return the state as it is.

    Raises:
        ConfigError: the state was begun under other settings.
        StateError: there is no state, or histories or positions are missing.
        StreamappError: Kafka or Redis fails.
    """
    every = list(pipelines(settings).values())
    layouts = {one.kind: await read_layout(redis, one) for one in every}
    before = {topic: layouts[one.kind][topic] for one in every for topic in one.internal_topics}
    state_id = await read_state_id(redis, settings.state_prefix)
    check_kinds(state_id, settings)
    offsets = await _offsets(settings, before)
    histories = {
        one.kind: await read_histories(redis, one, before[one.interactions_topic], state_id)
        for one in every
    }
    waiting: dict[TP, tuple[int, int]] = {}
    lost: dict[str, int] = {}
    for one in every:
        heads: dict[TP, HistoriesHead | ShardHead | None] = {
            TP(one.interactions_topic, n): head for n, head in enumerate(histories[one.kind])
        }
        if one.makes_trending:
            heads |= await _shards(redis, one, before[one.deltas_topic])
        for tp, head in heads.items():
            known = offsets[tp]
            if gone := _gone(head, known):
                lost[tp.topic] = lost.get(tp.topic, 0) + gone
            at = max(known.beginning, head.position if head else known.end)
            waiting[tp] = at, max(at, known.end)
    main = every[0]
    for topic in main.event_topics:
        await _check_intake(redis, main, topic, layouts[main.kind][topic], state_id)
    return OldState(
        await live_members(settings),
        state_id,
        before,
        dict.fromkeys(before, settings.partitions),
        histories,
        {tp: span for tp, span in waiting.items() if span[0] < span[1]},
        lost,
    )


def _gone(head: HistoriesHead | ShardHead | None, known: Offsets) -> int:
    """Return how many records of an internal partition can no longer be applied, or not compared.

    Unlike a rebuild from events, this one needs no record that was applied.
    """
    if head is None:
        return known.end
    dropped = max(0, known.beginning - head.position)
    return dropped + max(0, head.position - known.end)


async def _offsets(settings: Settings, before: Mapping[str, int]) -> dict[TP, Offsets]:
    async with administration(settings) as admin:
        counts = await partition_counts(admin)
    every = [TP(topic, number) for topic, count in before.items() for number in range(count)]
    held = [tp for tp in every if tp.partition < counts.get(tp.topic, 0)]
    return dict.fromkeys(every, _NOTHING) | await read_offsets(settings, held, {})


async def read_histories(
    redis: Redis, pipeline: Pipeline, partitions: int, state_id: str
) -> list[HistoriesHead]:
    """Return the heads of all histories of a pipeline.

    Raises:
        ConfigError: they were made under other settings.
        StateError: one is missing, or of another state.
    """
    heads = []
    for number in range(partitions):
        keys = SlotKeys(pipeline.state_prefix, histories_tag(number))
        head = await Slot(redis, keys).head(HistoriesHead)
        if head is None or head.state_id != state_id:
            raise StateError(
                f"redis does not hold the histories of {pipeline.interactions_topic}[{number}] "
                f"({keys.head}): restore Redis from a backup, or count again from the first event "
                "with `streamapp rebuild`"
            )
        if head.results != pipeline.results:
            raise ConfigError(
                f"{keys.head} was made under other settings that change counts; start a worker to "
                "read which, and set them back, or count again from the first event with "
                "`streamapp rebuild`"
            )
        heads.append(head)
    return heads


async def _shards(redis: Redis, pipeline: Pipeline, count: int) -> dict[TP, ShardHead | None]:
    """Return the heads of the shards; None for one that is missing or damaged."""
    found: dict[TP, ShardHead | None] = {}
    for number in range(count):
        slot = Slot(redis, SlotKeys(pipeline.state_prefix, rows_tag(number)))
        try:
            found[TP(pipeline.deltas_topic, number)] = await slot.head(ShardHead)
        except StateError:
            found[TP(pipeline.deltas_topic, number)] = None
    return found


async def _check_intake(
    redis: Redis, main: Pipeline, topic: str, partitions: int, state_id: str
) -> None:
    """Refuse an event partition whose position is lost.

    Raises:
        StateError: there is none, or it is of another state.
    """
    for number in range(partitions):
        keys = SlotKeys(main.state_prefix, intake_tag(topic, number))
        head = await Slot(redis, keys).head(IntakeHead)
        if head is None or head.state_id != state_id:
            raise StateError(
                f"redis does not hold the position in {topic}[{number}] ({keys.head}): restore "
                "Redis from a backup, or count again from the first event with `streamapp rebuild`"
            )
