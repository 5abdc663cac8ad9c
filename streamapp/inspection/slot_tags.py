"""Which slot holds the position of a partition."""

from streamapp.pipelines import Pipeline
from streamapp.store.slot.keys import catalogue_tag, histories_tag, intake_tag, rows_tag


def tag_of(pipeline: Pipeline, topic: str, partition: int) -> str:
    """Return the tag of the slot that has the position in a partition."""
    if topic == pipeline.interactions_topic:
        return histories_tag(partition)
    if topic == pipeline.deltas_topic:
        return rows_tag(partition)
    if topic == pipeline.catalogue_topic:
        return catalogue_tag(partition)
    return intake_tag(topic, partition)
