"""The composition root: settings in, a Faust app with its agents out."""

import asyncio
import logging
from collections.abc import AsyncIterable, Mapping
from typing import Any, cast

from faust.types import AgentT

from streamapp.agents.runtime.assignment import Assignment
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.runtime.stage import Stage
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.config.settings import Settings
from streamapp.errors import StreamappError
from streamapp.failpoints import Failpoints
from streamapp.pipelines import main_pipeline, pipelines
from streamapp.store.lists import lists_of
from streamapp.store.redis.connection import connect
from streamapp.transport.consuming.consumer import Consumer
from streamapp.transport.consuming.faust_transport import Transport
from streamapp.transport.consuming.record_schema import RecordBatchSchema
from streamapp.transport.offsets import check_fingerprints, read_offsets
from streamapp.transport.producer import Producer
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint
from streamapp.worker.faust_app import METADATA_MAX_AGE_S, FaustApp
from streamapp.worker.process_end import end_process, start_stop_timer
from streamapp.worker.stage_factory import StageFactory
from streamapp.worker.startup import check_servers, prepare_process
from streamapp.worker.watchdogs import watch_group, watch_positions, watch_redis, watch_topics

logger = logging.getLogger(__name__)

_RELEASE_S = 2.0
"""How long a worker keeps revoked partitions while the broker has not taken their messages."""


class WorkerApp(FaustApp):
    """The worker: a partition task for each stage, fed by the agents.

    Attributes:
        context: Settings and connections, as the stages of the main pipeline see them.
        assignment: The partitions that this worker owns.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.context = _context(settings)
        self.own_messages = self.context.own_messages
        self._stages = StageFactory(self.context)
        self.assignment = Assignment(self)
        self.transport = Transport(
            self.conf.broker_consumer, self, settings, self.assignment, self.context.failpoints
        )
        self.on_partitions_revoked.connect(self._release)

    def take(self, batch: RecordBatch) -> None:
        """Hand a batch to the task of its partition."""
        self.context.failpoints.reach("agent.batch-taken")
        self.assignment.put(batch)

    async def on_start(self) -> None:
        """Load the kernels, and check that Kafka and Redis are fit for use."""
        prepare_process(self.settings)
        try:
            limits, identity = await check_servers(self.settings, self.context.redis)
            self._stages.redis_identity = identity
            await self.context.producer.start(limits)
            await self.context.list_producer.start(limits)
        except StreamappError as error:
            end_process(error)
        await super().on_start()
        self.add_future(watch_group(self, self._check_group, end_process))

    async def on_started_init_extra_tasks(self) -> None:
        """Watch Redis and the topics from here on."""
        await super().on_started_init_extra_tasks()
        self.add_future(
            watch_redis(self, self.context.redis, self._stages, self.assignment, end_process)
        )
        self.add_future(watch_positions(self, self.context.redis, self.assignment, end_process))
        self.add_future(watch_topics(self, self.assignment, METADATA_MAX_AGE_S, end_process))

    async def on_stop(self) -> None:
        """Finish and store the batches, and commit; give up after `STOP_TIMEOUT`."""
        start_stop_timer(self.settings.stop_timeout)
        await self.assignment.finish()
        await super().on_stop()
        await self.context.producer.stop()
        await self.context.list_producer.stop()
        await self.context.redis.aclose()

    async def _on_agent_error(self, agent: AgentT[Any], exc: BaseException) -> None:
        end_process(exc)

    async def _release(self, *_: Any, **__: Any) -> None:
        """Release revoked partitions when none of this worker's messages is still in flight.

        Kafka names the next owner only when this returns, so no message of this worker can come
        after one of the next owner. A worker that waits in vain publishes its lists again when the
        broker has them (ADR-0006), unless it dies before that.
        """
        await self.assignment.drop()
        producers = self.context.producer, self.context.list_producer
        if not all(await asyncio.gather(*(one.settled(_RELEASE_S) for one in producers))):
            logger.warning("partitions are released with messages in flight to the broker")

    def task_of(self, tp: TP) -> str:
        """Return the name of the task of a partition."""
        return self._stages.task_of(tp)

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Return a stage for the partitions of one task, made from their stored state."""
        return await self._stages.open(offsets, lists_suspect=lists_suspect)

    async def read_offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        """Ask Kafka about partitions."""
        return await read_offsets(self.settings, stored, stored)

    async def seek(self, positions: Mapping[TP, int]) -> None:
        """Let the consumer read partitions from other offsets on."""
        await cast("Consumer", self.consumer).seek_to(positions)

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Check that topics still hold records that were applied."""
        await check_fingerprints(self.settings, {tp: one for tp, one in applied.items() if one})

    def fail(self, error: BaseException) -> None:
        """End the process without acknowledging anything."""
        end_process(error)

    async def _check_group(self) -> None:
        await cast("Consumer", self.consumer).check_group()


def create_app(settings: Settings) -> WorkerApp:
    """Return the app with its agents; it connects to nothing until it is started."""
    app = WorkerApp(settings)

    async def take_all(batches: AsyncIterable[RecordBatch]) -> None:
        async for batch in batches:
            app.take(batch)

    for name, topics in _topics_of_agents(settings).items():
        if topics:
            app.agent(app.topic(*topics, schema=RecordBatchSchema()), name=name)(take_all)
    return app


def _topics_of_agents(settings: Settings) -> dict[str, list[str]]:
    """Return the topics that each agent reads; an agent without any is not made."""
    every = pipelines(settings).values()
    return {
        "intake": list(settings.event_topics),
        "histories": [pipeline.interactions_topic for pipeline in every],
        "neighbours": [pipeline.deltas_topic for pipeline in every],
        "catalogue": [settings.catalogue_topic] if settings.catalogue_topic else [],
    }


def _context(settings: Settings) -> StageContext:
    redis = connect(settings)
    lists = lists_of(
        redis,
        settings.list_prefix,
        settings.state_prefix,
        settings.redis_cluster,
        ids_only=settings.list_details == "ids",
    )
    return StageContext(
        settings,
        main_pipeline(settings),
        redis,
        lists,
        ItemListCache(lists),
        Producer(settings),
        Producer(settings),
        Failpoints(settings.active_failpoint),
        MaintenanceBudget(settings.refresh_cpu),
    )
