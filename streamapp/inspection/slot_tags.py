"""The slot that holds the position of a partition, and the type of its head."""

from streamapp.pipelines import Pipeline
from streamapp.store.slot.head import CatalogueHead, Head, HistoriesHead, IntakeHead, ShardHead
from streamapp.store.slot.keys import catalogue_tag, histories_tag, intake_tag, rows_tag


def tag_of(pipeline: Pipeline, topic: str, partition: int) -> str:
    """Return the tag of the slot that holds the position of a partition."""
    if topic == pipeline.interactions_topic:
        return histories_tag(partition)
    if topic == pipeline.deltas_topic:
        return rows_tag(partition)
    if topic == pipeline.catalogue_topic:
        return catalogue_tag(partition)
    return intake_tag(topic, partition)


def head_type_of(pipeline: Pipeline, topic: str) -> type[Head]:
    """Return the type of the heads of the slots that follow a topic."""
    types: dict[str, type[Head]] = {
        pipeline.catalogue_topic: CatalogueHead,
        pipeline.interactions_topic: HistoriesHead,
        pipeline.deltas_topic: ShardHead,
    }
    return types.get(topic, IntakeHead)
