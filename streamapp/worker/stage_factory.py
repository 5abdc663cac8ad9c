"""Which stage works on which partitions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from streamapp.agents.catalogue.stage import CatalogueStage
from streamapp.agents.histories.stage import HistoryStage
from streamapp.agents.intake.stage import IntakeStage
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.stage import Stage
from streamapp.agents.shard.stage import ShardStage
from streamapp.pipelines import pipelines
from streamapp.transport.records import TP

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
        self._context = context
        self._event_topics = frozenset(settings.event_topics)
        self._stages: dict[str, Callable[[int], Stage]] = {}
        for pipeline in pipelines(settings).values():
            own = replace(context, pipeline=pipeline)
            self._stages[pipeline.interactions_topic] = partial(HistoryStage, own)
            self._stages[pipeline.deltas_topic] = partial(ShardStage, own)
        if settings.catalogue_topic:
            self._stages[settings.catalogue_topic] = partial(CatalogueStage, context)

    def group_of(self, tp: TP) -> str:
        """Return the name of the stage that works on a partition."""
        return _INTAKE if tp.topic in self._event_topics else f"{tp.topic}/{tp.partition}"

    def make(self, group: str) -> Stage:
        """Return a new stage of that name."""
        if group == _INTAKE:
            return IntakeStage(self._context)
        topic, _, partition = group.rpartition("/")
        return self._stages[topic](int(partition))
