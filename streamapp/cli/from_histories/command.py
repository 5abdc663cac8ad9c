"""`streamapp rebuild --from-histories`: makes rows, norms and lists again without event topics."""

import asyncio
from typing import Any

import msgspec
from redis.asyncio import Redis

from streamapp.cli.from_histories.internal_topics import make_internal_topics
from streamapp.cli.from_histories.journal import (
    Journal,
    Sent,
    carried_popularity,
    carry_popularity,
    read_journal,
    remove_journal,
    write_journal,
)
from streamapp.cli.from_histories.moving import HistoryMove
from streamapp.cli.from_histories.new_heads import check_cuts, intake_positions, new_heads
from streamapp.cli.from_histories.plan import OldState, read_histories, read_old_state
from streamapp.cli.from_histories.sending import HistorySender
from streamapp.cli.from_histories.stored_histories import remove_slots
from streamapp.cli.from_histories.waiting import apply_interactions, read_popularity, stage_context
from streamapp.cli.list_withdrawal import item_lists, outdated_lists, withdraw
from streamapp.cli.rebuild_plan import check_nobody_lives
from streamapp.cli.session import existing_partitions, redis_session
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StateError
from streamapp.failpoints import Failpoints
from streamapp.inspection.snapshot import read_layout
from streamapp.pipelines import Pipeline, main_pipeline, pipelines
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, intake_tag, rows_tag
from streamapp.store.slot.seq_base import read_seq_base, write_seq_base
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import (
    STATE_ID_FIELD,
    check_kinds,
    layout_key,
    new_state_id,
    read_state_id,
)
from streamapp.transport.group_members import live_members
from streamapp.transport.offsets import read_offsets
from streamapp.transport.producer import Producer
from streamapp.transport.records import TP


def rebuild_from_histories(*, yes: bool, accept_loss: bool, as_json: bool) -> None:
    """Make a new state of the histories, with `PARTITIONS` partitions in its internal topics.

    Histories, positions in event topics, popularity, counters and the user list index are carried
    over. Rows and norms are counted again from deltas that this command sends. The catalogue is
    read again from its topic. A run that is interrupted is ended by the next one.

    Args:
        yes: Whether to do it; else it is only said what would happen.
        accept_loss: Whether records of internal topics may be lost that are not applied.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: `yes` is not set, or the state was begun under other settings.
        StreamappError: workers live, the state lacks what is carried over, records would be lost,
            or Kafka or Redis fails.
    """
    found = asyncio.run(_run(load_settings(), yes=yes, accept_loss=accept_loss))
    if as_json:
        print_json(found)
    else:
        title = "Rebuild from histories" if yes else "What a rebuild from histories would do"
        print_table(title, ("what", "value"), _lines(found))
    if not yes:
        more = " --accept-loss" if found["records_lost"] and not accept_loss else ""
        raise ConfigError(
            f"nothing was changed; stop all workers, and repeat with{more} --yes to do it"
        )


def _lines(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what a table shows."""
    lines: list[tuple[str, Any]] = []
    for name, value in found.items():
        what = name.replace("_", " ")
        if isinstance(value, dict):
            lines += [(f"{what}, {topic}", count) for topic, count in value.items()] or [(what, 0)]
        else:
            lines.append((what, len(value) if isinstance(value, list) else value))
    return lines


async def _run(settings: Settings, *, yes: bool, accept_loss: bool) -> dict[str, Any]:
    async with redis_session(settings) as redis:
        journal = await read_journal(redis, settings.state_prefix)
        if journal is not None:
            members = await live_members(settings)
            if not yes:
                return _interrupted(settings, journal, members)
            check_nobody_lives(members)
            check_kinds(journal.state_id, settings)
        else:
            old = await read_old_state(redis, settings)
            if not yes:
                return old.report()
            old.check(accept_loss=accept_loss)
            journal = await _begin(redis, settings, old, accept_loss=accept_loss)
        return await _end(redis, settings, journal)


def _interrupted(settings: Settings, journal: Journal, members: list[str]) -> dict[str, Any]:
    """Return the plan where an earlier run has begun."""
    return {
        "live_workers": members,
        "interrupted": True,
        "partitions_before": journal.before,
        "partitions_after": dict.fromkeys(journal.before, settings.partitions),
        "records_lost": journal.lost,
    }


async def _begin(redis: Redis, settings: Settings, old: OldState, *, accept_loss: bool) -> Journal:
    """Apply what waits, carry over what histories do not say, and write the journal."""
    producer = Producer(settings)
    await producer.start()
    try:
        context = stage_context(settings, redis, producer)
        for pipeline in pipelines(settings).values():
            await apply_interactions(context, pipeline, old.waiting, accept_loss=accept_loss)
        lost = old.lost
        old = await read_old_state(redis, settings)
        main = context.pipeline
        intake = await intake_positions(redis, main, await read_layout(redis, main))
        for one in pipelines(settings).values():
            topic = one.interactions_topic
            if left := [tp for tp in old.waiting if tp.topic == topic]:
                raise StateError(f"{left[0].topic}[{left[0].partition}] grows; stop all workers")
            if old.before[topic] != old.after[topic]:
                check_cuts(old.histories[one.kind], intake, topic)
        newest_ts = float("-inf")
        if main.makes_trending:
            ids, increments = await read_popularity(
                context, old.before[main.deltas_topic], old.waiting
            )
            newest_ts = increments.newest_ts
            await carry_popularity(redis, settings.state_prefix, ids, increments)
            context.failpoints.reach("rebuild.popularity-put")
    finally:
        await producer.stop()
    seqs = {
        one.kind: await _seqs(redis, settings, one, old) for one in pipelines(settings).values()
    }
    journal = Journal(new_state_id(settings), dict(old.before), newest_ts, dict(lost), seqs)
    await write_journal(redis, settings.state_prefix, journal)
    return journal


async def _seqs(
    redis: Redis, settings: Settings, pipeline: Pipeline, old: OldState
) -> tuple[int, int]:
    """Return what the shards add to their positions, and the highest position that they reached."""
    topic = pipeline.deltas_topic
    slots = [
        Slot(redis, SlotKeys(pipeline.state_prefix, rows_tag(n))) for n in range(old.before[topic])
    ]
    bases, reached = [0], [0]
    for slot in slots:
        try:
            head = await slot.head(Head)
            bases.append(await read_seq_base(slot))
        except StateError:
            head = None
        reached.append(head.position if head else 0)
    counts = await existing_partitions(settings, [topic])
    ends = await read_offsets(settings, [TP(topic, n) for n in range(counts[topic])], {})
    return max(bases), max(*reached, *(known.end for known in ends.values()))


async def _end(redis: Redis, settings: Settings, journal: Journal) -> dict[str, Any]:
    """Do what the journal says is left, and remove it."""
    every = list(pipelines(settings).values())
    failpoints = Failpoints(settings.active_failpoint)
    lists = 0
    if journal.sent is None:
        # Messages of an interrupted run have another state id, and no shard applies them.
        journal = msgspec.structs.replace(journal, state_id=new_state_id(settings))
        await write_journal(redis, settings.state_prefix, journal)
        failpoints.reach("rebuild.journal-written")
        await make_internal_topics(settings, list(journal.before))
        journal, lists = await _send(redis, settings, journal, failpoints)
    sent = journal.sent
    if sent is None:
        raise StateError("the journal does not say what was sent")
    await _check_topics(settings, sent)
    for one in every:
        prefix = one.state_prefix
        move = HistoryMove(
            redis,
            one,
            journal.before[one.interactions_topic],
            sent.positions[one.interactions_topic],
            failpoints,
        )
        await move.run(sent.heads[one.kind])
        await remove_slots(redis, prefix, "i")
        for number, position in enumerate(sent.positions[one.deltas_topic]):
            slot = Slot(redis, SlotKeys(prefix, rows_tag(number)), journal.state_id)
            await write_seq_base(slot, sent.seq_bases[one.kind])
            await slot.create(position, one.results)
    failpoints.reach("rebuild.histories-moved")
    await _begin_sources(redis, every[0], journal, sent)
    # The layout of the main pipeline is the last one: it names the state.
    for one in reversed(every):
        counts: Any = {topic: str(len(sent.positions[topic])) for topic in one.internal_topics}
        stored = {**counts, STATE_ID_FIELD: journal.state_id}
        await redis.hset(layout_key(one.state_prefix), mapping=stored)
    failpoints.reach("rebuild.layout-written")
    await remove_journal(redis, settings.state_prefix)
    return {
        "histories": await _count(redis, every, sent),
        "lists_removed": lists,
        "partitions_before": journal.before,
        "partitions_after": {topic: len(sent.positions[topic]) for topic in journal.before},
        "records_lost": journal.lost,
    }


async def _send(
    redis: Redis, settings: Settings, journal: Journal, failpoints: Failpoints
) -> tuple[Journal, int]:
    """Send all deltas, withdraw lists, and note it; return the journal and the lists removed."""
    every = pipelines(settings)
    main = main_pipeline(settings)
    positions = await _positions(settings, list(journal.before))
    producer = Producer(settings)
    await producer.start()
    listed: dict[str, set[str]] = {}
    try:
        for kind, one in every.items():
            before, shards = (
                journal.before[one.interactions_topic],
                len(positions[one.deltas_topic]),
            )
            sender = HistorySender(producer, one, journal.state_id, before, shards)
            await sender.send_histories(redis)
            listed[kind] = sender.listed
            if one.makes_trending:
                carried = carried_popularity(redis, settings.state_prefix, journal.newest_ts)
                await sender.send_popularity(carried)
    finally:
        await producer.stop()
    failpoints.reach("rebuild.deltas-sent")
    begins_lower = await _begins_lower(redis, every, journal, positions)
    bases = {kind: old + begins_lower * end for kind, (old, end) in journal.seqs.items()}
    keys = {*await outdated_lists(redis, settings), *await item_lists(redis, settings, listed)}
    lists = await withdraw(redis, settings, sorted(keys))
    intake = await intake_positions(redis, main, await read_layout(redis, main))
    old_id = await read_state_id(redis, settings.state_prefix)
    heads = {
        kind: new_heads(
            one,
            await read_histories(redis, one, journal.before[one.interactions_topic], old_id),
            positions[one.interactions_topic],
            intake,
            journal.state_id,
        )
        for kind, one in every.items()
    }
    if settings.catalogue_topic:
        counts = await existing_partitions(settings, [settings.catalogue_topic])
        tps = [TP(topic, n) for topic, count in counts.items() for n in range(count)]
        offsets = await read_offsets(settings, tps, {})
        positions[settings.catalogue_topic] = [offsets[tp].beginning for tp in tps]
    journal = msgspec.structs.replace(journal, sent=Sent(positions, heads, bases))
    await write_journal(redis, settings.state_prefix, journal)
    return journal, lists


async def _positions(settings: Settings, topics: list[str]) -> dict[str, list[int]]:
    """Return the end of each partition of topics."""
    counts = await existing_partitions(settings, topics)
    tps = [TP(topic, n) for topic, count in counts.items() for n in range(count)]
    offsets = await read_offsets(settings, tps, {})
    return {
        topic: [offsets[TP(topic, n)].end for n in range(count)] for topic, count in counts.items()
    }


async def _begins_lower(
    redis: Redis,
    every: dict[str, Pipeline],
    journal: Journal,
    positions: dict[str, list[int]],
) -> bool:
    """Return whether an item list may have a higher `seq` than its shard will give (ADR-0006)."""
    for one in every.values():
        new = positions[one.deltas_topic]
        if len(new) != journal.before[one.deltas_topic]:
            return True
        for number, position in enumerate(new):
            try:
                head = await Slot(redis, SlotKeys(one.state_prefix, rows_tag(number))).head(Head)
            except StateError:
                head = None
            if head is not None and head.position > position:
                return True
    return False


async def _check_topics(settings: Settings, sent: Sent) -> None:
    """Refuse internal topics that have changed since the deltas were sent.

    Raises:
        StateError: a topic has another number of partitions.
    """
    counts = await existing_partitions(settings, list(sent.positions))
    for topic, positions in sent.positions.items():
        if counts[topic] != len(positions):
            raise StateError(
                f"{topic} has {counts[topic]} partitions, the rebuild was begun with "
                f"{len(positions)}: count again from the first event with `streamapp rebuild`"
            )


async def _begin_sources(redis: Redis, main: Pipeline, journal: Journal, sent: Sent) -> None:
    """Let event positions continue in the new state, and the catalogue begin again."""
    layout = await read_layout(redis, main)
    for topic in main.event_topics:
        for number in range(layout[topic]):
            keys = SlotKeys(main.state_prefix, intake_tag(topic, number))
            await redis.hset(keys.head, "generation", journal.state_id)
    if main.catalogue_topic:
        await remove_slots(redis, main.state_prefix, "c")
        for number, position in enumerate(sent.positions[main.catalogue_topic]):
            slot = Slot(redis, SlotKeys(main.state_prefix, catalogue_tag(number)), journal.state_id)
            await slot.create(position, main.results)


async def _count(redis: Redis, every: list[Pipeline], sent: Sent) -> int:
    """Return how many histories the new state has."""
    heads = [
        await Slot(redis, SlotKeys(one.state_prefix, f"u{number}")).head(Head)
        for one in every
        for number in range(len(sent.positions[one.interactions_topic]))
    ]
    return sum(head.blobs for head in heads if head)
