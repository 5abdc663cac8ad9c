"""Which stage works on which partitions."""

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
from streamapp.pipelines import pipelines
from streamapp.transport.records import TP, Offsets

_INTAKE = "intake"


class StageFactory:
    """Makes the stages of a worker.

    One intake stage reads all event partitions. Each partition of any other topic has a stage of
    its own.

    Args:
        context: Settings and connections of the worker, and its main pipeline.
    """

    def __init__(self, context: StageContext) -> None:
        settings = context.settings
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
        topic = next(iter(offsets)).topic
        return await self._openers[topic](offsets, lists_suspect=lists_suspect)
