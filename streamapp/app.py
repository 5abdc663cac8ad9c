"""The composition root: settings in, a Faust app with its agents out.

`faust -A streamapp.app worker` finds `app` here; it is made when it is asked for, so that the
import has no effects.
"""

import gc
import logging
import os
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from threading import Timer
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from faust.types import AgentT
from redis.asyncio import Redis

from streamapp.agents.catalogue.stage import CatalogueStage
from streamapp.agents.histories.stage import HistoryStage
from streamapp.agents.intake.stage import IntakeStage
from streamapp.agents.runtime.assignment import Assignment
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.runtime.stage import Stage
from streamapp.agents.shard.stage import ShardStage
from streamapp.config.settings import Settings, load_settings
from streamapp.errors import ConfigError, StateError, StreamappError, UnansweredError
from streamapp.failpoints import Failpoints
from streamapp.pipelines import pipelines
from streamapp.store.lists import lists_of
from streamapp.store.redis.connection import connect, opened
from streamapp.store.redis.health import check_policy, identity_of, read_masters
from streamapp.store.slot.manifest import check_layout
from streamapp.transport.consumer import Consumer, Records, Transport
from streamapp.transport.offsets import check_marks, read_offsets
from streamapp.transport.producer import Producer
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint
from streamapp.transport.topics import administration, ensure_topics
from streamapp.worker.log_dedup import deduplicate_logs
from streamapp.worker.warm import warm

logger = logging.getLogger(__name__)

_INTAKE = "intake"
_WATCH_S = 2.0

_LET_GO_S = 2.0
"""Longest that partitions are kept for messages that the broker does not take."""

_METADATA_MAX_AGE_MS = 30_000
"""How soon a topic that got more partitions, or was made anew, is noticed."""


class _Quiet(faust.Monitor):
    """Faust's monitor without what it does for each message."""

    def on_message_in(self, *_: Any, **__: Any) -> None: ...
    def on_stream_event_in(self, *_: Any, **__: Any) -> None: ...
    def on_stream_event_out(self, *_: Any, **__: Any) -> None: ...
    def on_message_out(self, *_: Any, **__: Any) -> None: ...


class _WithoutWeb(BootStrategy):
    """Faust's web server listens on all interfaces; this app has none."""

    def _should_enable_web(self) -> bool:
        return False


class App(faust.App):
    """The worker: a task for each partition, fed by the agents."""

    BootStrategy = _WithoutWeb

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__(
            settings.group_id,
            broker=settings.broker_url.replace(",", ";kafka://"),
            store="memory://",
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_buffer_maxsize=65_536,
            stream_wait_empty=True,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=4_194_304,
            consumer_metadata_max_age_ms=_METADATA_MAX_AGE_MS,
            consumer_group_instance_id=settings.instance_id or None,
            broker_max_poll_records=settings.max_poll_records,
            broker_max_poll_interval=7 * 86_400.0,
            broker_commit_interval=1.0,
            broker_commit_every=1_000_000,
            broker_session_timeout=settings.session_timeout,
            broker_heartbeat_interval=settings.session_timeout / 5,
            broker_rebalance_timeout=max(30.0, settings.session_timeout),
            broker_request_timeout=max(60.0, settings.session_timeout),
            worker_redirect_stdouts=False,
            Monitor=_Quiet,
            web_enabled=False,
        )
        self.transport = Transport(self.conf.broker_consumer, self)
        redis: Redis = connect(settings)
        lists = lists_of(redis, settings.list_prefix, settings.state_prefix, settings.redis_cluster)
        publisher, failpoints = Producer(settings), Failpoints(settings.failpoint)
        self.outside = StageContext(
            settings, redis, lists, ItemListCache(lists), publisher, failpoints
        )
        self._openers: dict[str, Callable[..., Awaitable[Stage]]] = dict.fromkeys(
            settings.event_topics, partial(IntakeStage.open, self.outside)
        )
        for kind, own in pipelines(settings).items():
            outside = replace(self.outside, settings=own, kind=kind)
            self._openers[own.interactions_topic] = partial(HistoryStage.open, outside)
            self._openers[own.deltas_topic] = partial(ShardStage.open, outside)
        self._openers[settings.catalogue_topic] = partial(CatalogueStage.open, self.outside)
        self.assignment = Assignment(self)
        self.on_partitions_revoked.connect(self._drop_partitions)

    def _create_directories(self) -> None:
        """Faust's folders are for tables, and this app has none."""

    def take(self, batch: RecordBatch) -> None:
        """Give a batch to the task of its partition."""
        self.outside.failpoints.reach("agent.batch-taken")
        self.assignment.put(batch)

    def fail(self, error: BaseException) -> None:
        """End the process without acknowledging anything: what was not stored is read again."""
        if isinstance(error, StreamappError):
            sys.stderr.write(f"streamapp: {error}\n")
        else:
            logger.critical("the worker stops", exc_info=error)
        logging.shutdown()
        sys.stderr.flush()
        os._exit(getattr(error, "exit_code", 1))

    async def on_start(self) -> None:
        """Load the kernels, and check that Kafka and Redis are fit for use."""
        deduplicate_logs("aiokafka")
        warm(self.settings.decay, content=self.settings.content_neighbours)
        # What is here stays; batches make many objects and few cycles, so look for those seldom.
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        try:
            async with opened(self.settings) as redis:
                check_policy(await read_masters(redis))
            async with administration(self.settings) as admin:
                topics = await ensure_topics(admin, self.settings)
            # From here on a worker waits for what passes, such as a Redis that is full.
            counts = {topic.name: count for topic, count, _ in topics}
            await check_layout(self.outside.redis, self.settings, counts)
            for topic, count, made in topics:
                if made:
                    logger.info("made the topic %s with %d partitions", topic.name, count)
            await self.outside.publisher.start()
        except StreamappError as error:
            self.fail(error)
        await super().on_start()
        self.add_future(self._watch_group())

    async def on_started_init_extra_tasks(self) -> None:
        """Watch Redis and the topics from here on."""
        await super().on_started_init_extra_tasks()
        self.add_future(self._watch_redis())
        self.add_future(self._watch_topics())

    async def on_stop(self) -> None:
        """Finish what was read, store it, and commit; give up after `STOP_TIMEOUT`."""
        self._begin_to_end()
        await self.assignment.finish()
        await super().on_stop()
        await self.outside.publisher.stop()
        await self.outside.redis.aclose()

    def _begin_to_end(self) -> None:
        """End the process by `STOP_TIMEOUT`, from a thread: the loop itself may wait for one."""
        seconds = self.settings.stop_timeout
        late = UnansweredError(
            f"asked to end, and after {seconds:g} s Kafka or Redis had not taken all that was "
            "read; nothing is lost: whoever works on it next reads it again"
        )
        patience = Timer(seconds, self.fail, [late])
        patience.daemon = True
        patience.start()

    async def _on_agent_error(self, agent: AgentT[Any], exc: BaseException) -> None:
        self.fail(exc)

    async def _drop_partitions(self, *_: Any, **__: Any) -> None:
        """Give up partitions, when nothing of theirs can arrive behind what the next owner sends.

        Kafka names the next owner only when this returns. A worker that waits in vain looks after
        its lists when the broker has them (ADR-0006), unless it dies before that.
        """
        await self.assignment.drop()
        if not await self.outside.publisher.settled(_LET_GO_S):
            logger.warning("partitions are given up with messages on their way to the broker")

    async def _watch_redis(self) -> None:
        """Let tasks read their state again when another Redis answers; end where one may evict."""
        known = identity_of(await read_masters(self.outside.redis))
        while not self.should_stop:
            await self.sleep(_WATCH_S)
            masters = await read_masters(self.outside.redis)
            try:
                check_policy(masters)
            except ConfigError as error:
                self.fail(error)
            if (found := identity_of(masters)) != known:
                logger.warning("redis was restarted or replaced; reading the state anew")
                self.assignment.suspect_loss()
                known = found

    async def _watch_group(self) -> None:
        """End the process where Kafka refuses what it is asked for; Faust would wait for ever."""
        while not self.should_stop:
            await self.sleep(_WATCH_S)
            try:
                await cast("Consumer", self.consumer).check_group()
            except ConfigError as error:
                self.fail(error)

    async def _watch_topics(self) -> None:
        """End the process where a topic was made anew under its name, and is as long as before."""
        while not self.should_stop:
            await self.sleep(_METADATA_MAX_AGE_MS / 1000)
            try:
                await self.assignment.check()
            except UnansweredError as error:
                logger.warning("%s; looking again later", error)
            except StateError as error:
                self.fail(error)

    def task_of(self, tp: TP) -> str:
        """Return the name of the task of a partition; all event partitions share one."""
        return _INTAKE if tp.topic in self.settings.event_topics else f"{tp.topic}/{tp.partition}"

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Return a stage for partitions, made from their stored state."""
        topic = next(iter(offsets)).topic
        return await self._openers[topic](offsets, lists_suspect=lists_suspect)

    async def read_offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        """Ask Kafka about partitions."""
        return await read_offsets(self.settings, stored, stored)

    async def seek(self, positions: Mapping[TP, int]) -> None:
        """Let the consumer read partitions from other offsets on."""
        await cast("Consumer", self.consumer).seek_to(positions)

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Check that topics still hold records that were applied."""
        await check_marks(self.settings, {tp: one for tp, one in applied.items() if one})


def create_app(settings: Settings) -> App:
    """Return the app with its agents; it connects to nothing until it is started."""
    app = App(settings)

    async def intake(batches: AsyncIterable[RecordBatch]) -> None:
        """Event records -> interactions, in the partition of their user."""
        async for batch in batches:
            app.take(batch)

    async def histories(batches: AsyncIterable[RecordBatch]) -> None:
        """Interactions -> histories, and deltas to the shards of their items."""
        async for batch in batches:
            app.take(batch)

    async def neighbours(batches: AsyncIterable[RecordBatch]) -> None:
        """Deltas -> rows, and lists to Redis and the output topic."""
        async for batch in batches:
            app.take(batch)

    async def catalogue(batches: AsyncIterable[RecordBatch]) -> None:
        """Records of the catalogue -> what is known of items, and notices to shards."""
        async for batch in batches:
            app.take(batch)

    every = pipelines(settings).values()
    for agent, topics in (
        (intake, settings.event_topics),
        (histories, [one.interactions_topic for one in every]),
        (neighbours, [one.deltas_topic for one in every]),
        (catalogue, filter(None, (settings.catalogue_topic,))),
    ):
        _declare(app, agent, *topics)
    return app


def _declare(app: App, agent: Callable[..., Awaitable[None]], *topics: str) -> None:
    """Let an agent read these topics; without any there is no such agent."""
    if topics:
        app.agent(app.topic(*topics, schema=Records()), name=agent.__name__)(agent)


def __getattr__(name: str) -> App:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app(load_settings())
    return globals()["app"]  # type: ignore[no-any-return]
