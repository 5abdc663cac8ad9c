"""Which stage works on which partitions."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from streamapp.agents.catalogue.stage import CatalogueStage
from streamapp.agents.histories.stage import HistoryStage
from streamapp.agents.intake.stage import IntakeStage
from streamapp.agents.norms.exchange import NormExchange
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.stage import Stage
from streamapp.agents.shard.stage import ShardStage
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import pipelines
from streamapp.store.slot.head import Head
from streamapp.store.slot.head_reader import read_heads
from streamapp.store.slot.keys import SlotKeys
from streamapp.transport.records import TP, Offsets

logger = logging.getLogger(__name__)

_INTAKE = "intake"


class StageFactory:
    """Makes the stages of a worker.

    One intake stage reads all event partitions. Each partition of any other topic has a stage of
    its own.

    Args:
        context: Settings and connections of the worker, and its main pipeline.

    Attributes:
        redis_identity: The Redis that answers, as far as the worker knows; "" before it has asked.
    """

    def __init__(self, context: StageContext) -> None:
        settings = context.settings
        self.redis_identity = ""
        self._redis = context.redis
        self._pipelines = {
            topic: pipeline
            for pipeline in pipelines(settings).values()
            for topic in pipeline.internal_topics
        }
        self._event_topics = frozenset(settings.event_topics)
        self._openers: dict[str, Callable[..., Awaitable[Stage]]] = dict.fromkeys(
            settings.event_topics, partial(IntakeStage.open, context)
        )
        for pipeline in pipelines(settings).values():
            own = replace(context, pipeline=pipeline)
            self._openers[pipeline.interactions_topic] = partial(HistoryStage.open, own)
            self._openers[pipeline.deltas_topic] = partial(ShardStage.open, own, NormExchange(own))
        if settings.catalogue_topic:
            self._openers[settings.catalogue_topic] = partial(CatalogueStage.open, context)

    def task_of(self, tp: TP) -> str:
        """Return the name of the task that works on a partition."""
        return _INTAKE if tp.topic in self._event_topics else f"{tp.topic}/{tp.partition}"

    async def open(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Return a stage for the partitions of one task, made from their stored state.

        Args:
            offsets: The offsets of each partition in Kafka.
            lists_suspect: Whether Redis may have lost writes, lists included.
        """
        first, identity = next(iter(offsets)), self.redis_identity
        if not lists_suspect and await self._may_have_lost_lists(first, identity):
            logger.warning(
                "%s[%d]: redis was restarted or replaced while no worker had this partition; "
                "publishing its lists again", first.topic, first.partition,
            )  # fmt: skip
            lists_suspect = True
        stage = await self._openers[first.topic](offsets, lists_suspect=lists_suspect)
        # The stage has stored which lists are due, so the next owner needs to suspect nothing.
        if identity and first.topic in self._pipelines:
            for slot in stage.slots:
                await slot.ownership.note_redis(slot.state_id, identity)
        return stage

    async def _may_have_lost_lists(self, tp: TP, identity: str) -> bool:
        """Say whether another Redis answers than the last owner of a partition knew.

        Lists lie on other nodes of a cluster than the position, so the position alone does not say.
        """
        pipeline = self._pipelines.get(tp.topic)
        if pipeline is None or not identity:
            return False
        keys = SlotKeys(pipeline.state_prefix, tag_of(pipeline, tp.topic, tp.partition))
        (head,) = await read_heads(self._redis, [keys.head], Head, "redis")
        return head is not None and head.redis not in {"", identity}
