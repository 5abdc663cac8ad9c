"""`streamapp resume`: goes on after event records that Kafka no longer holds."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from streamapp.agents.runtime.slot_opening import gap_remedy
from streamapp.cli.rebuild_plan import check_nobody_lives
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StateError
from streamapp.inspection.slot_tags import head_type_of, tag_of
from streamapp.pipelines import Pipeline, followers
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import check_journal, read_state_id
from streamapp.transport.group_members import live_members
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of a partition that are not applied and that Kafka no longer holds.

    Attributes:
        tp: The partition.
        pipeline: The pipeline whose state has the position.
        position: The stored position: the first offset that is not applied.
        beginning: The first offset that Kafka still holds.
    """

    tp: TP
    pipeline: Pipeline
    position: int
    beginning: int

    @property
    def records(self) -> int:
        """How many offsets there are in between; markers of transactions count too."""
        return self.beginning - self.position

    @property
    def is_of_events(self) -> bool:
        """Whether it can be accepted: internal messages and the catalogue build on each other."""
        return self.tp.topic in self.pipeline.event_topics


def resume(*, accept_gap: bool, as_json: bool) -> None:
    """Move the positions in event partitions to the first record that Kafka still has.

    Args:
        accept_gap: Whether to do it; else it is only said what would happen.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: there is a gap, and `accept_gap` is not set.
        StateError: another topic than those of events has a gap.
        StreamappError: workers live, or Kafka or Redis fails.
    """
    gaps, members = asyncio.run(_run(load_settings(), accept_gap=accept_gap))
    found = {
        "live_workers": members,
        "resumed": accept_gap,
        "records_skipped": sum(gap.records for gap in gaps),
        "gaps": [
            {
                "topic": gap.tp.topic,
                "partition": gap.tp.partition,
                "position": gap.position,
                "first_record": gap.beginning,
                "records": gap.records,
            }
            for gap in gaps
        ],
    }
    if as_json:
        print_json(found)
    else:
        _print_table(gaps, accept_gap=accept_gap)
    if gaps and not accept_gap:
        raise ConfigError(
            "nothing was changed; stop all workers, and repeat with --accept-gap to go on without "
            f"these {found['records_skipped']:,} records"
        )


def _print_table(gaps: list[Gap], *, accept_gap: bool) -> None:
    title = "Records that were skipped" if accept_gap else "Records that Kafka no longer holds"
    print_table(
        title,
        ("topic", "partition", "position", "first record", "records"),
        (
            (gap.tp.topic, gap.tp.partition, gap.position, gap.beginning, gap.records)
            for gap in gaps
        ),
    )


async def _run(settings: Settings, *, accept_gap: bool) -> tuple[list[Gap], list[str]]:
    async with state_session(settings) as redis:
        await check_journal(redis, settings.state_prefix)
        layout = await existing_partitions(settings, state_topics(settings))
        gaps = await read_gaps(redis, settings, layout)
        members = await live_members(settings)
        if accept_gap and gaps:
            check_nobody_lives(members)
            for gap in gaps:
                await skip(redis, gap)
        return gaps, members


async def read_gaps(redis: Redis, settings: Settings, layout: Mapping[str, int]) -> list[Gap]:
    """Return the gaps of event partitions.

    Args:
        redis: A client that answers in bytes.
        settings: Where the state and the topics are.
        layout: Partitions of each topic that the state depends on.

    Raises:
        StateError: another topic has a gap.
    """
    tps = {
        TP(topic, number): pipeline
        for topic, pipeline in followers(settings).items()
        for number in range(layout[topic])
    }
    offsets = await read_offsets(settings, tps, {})
    gaps = []
    for tp, pipeline in tps.items():
        head = await _slot(redis, pipeline, tp).head(head_type_of(pipeline, tp.topic))
        if head is not None and head.position < offsets[tp].beginning:
            gaps.append(Gap(tp, pipeline, head.position, offsets[tp].beginning))
    for gap in gaps:
        if not gap.is_of_events:
            raise StateError(
                f"{gap.tp.topic}[{gap.tp.partition}]: the state is at offset {gap.position}, but "
                f"the topic begins at {gap.beginning}, and such a gap cannot be accepted; "
                f"{gap_remedy(gap.pipeline, gap.tp.topic)}"
            )
    return gaps


async def skip(redis: Redis, gap: Gap) -> None:
    """Move the stored position of a partition behind its gap, with all else that the head says.

    Raises:
        StateError: a worker moves the position.
    """
    slot = _slot(redis, gap.pipeline, gap.tp)
    slot.state_id = await read_state_id(redis, gap.pipeline.state_prefix)
    head: Any = await slot.head(head_type_of(gap.pipeline, gap.tp.topic))
    if not isinstance(head, Head) or head.position != gap.position:
        raise StateError(
            f"the position in {gap.tp.topic}[{gap.tp.partition}] moves; stop all workers"
        )
    await slot.commit(gap.position, replace(head, position=gap.beginning))


def _slot(redis: Redis, pipeline: Pipeline, tp: TP) -> Slot:
    return Slot(redis, SlotKeys(pipeline.state_prefix, tag_of(pipeline, tp.topic, tp.partition)))
