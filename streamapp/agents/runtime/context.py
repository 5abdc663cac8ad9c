"""Settings and connections that every stage works with."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from streamapp.agents.delivery.delta_delivery import DeltaDelivery
from streamapp.agents.delivery.joint_delivery import JointDelivery
from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.polling.list_versions import ListVersions
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.agents.scheduling.shared_pauses import SharedPauses
from streamapp.config.settings import Settings
from streamapp.failpoints import Failpoints
from streamapp.pipelines import Pipeline
from streamapp.store.lists import Lists
from streamapp.transport.producer import Producer

_LIST_REST_S = 0.004
"""Seconds that lists wait for others, for each record batch of the lists before them. A batch costs
the worker and the broker more than a list."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """Settings and connections of a worker, and the pipeline of the stage.

    Attributes:
        settings: The settings.
        pipeline: Topics, state and counts that belong to the stage.
        redis: The state.
        lists: The lists that frontends read, in the same Redis.
        item_lists: Those of items, as lists for users are made of them.
        producer: Sends messages to Kafka.
        list_producer: Sends lists to Kafka, so that other messages do not wait behind them.
        failpoints: Where this worker dies, in tests.
        budget: The time that sweeps have; all pipelines of a worker share it.
        checkpoint_pauses: Those of the shards of all pipelines.
        own_messages: Those that this worker has to apply; all pipelines of a worker share them.
        heads: Those of the pipeline's shards; all jobs that poll them share reads.
        versions: Those of the pipeline's lists; all sweeps of user lists share reads.
        delta_delivery: Sends the deltas of all partitions of the pipeline.
        list_delivery: Sends the lists of all partitions and shards of the pipeline.
    """

    settings: Settings
    pipeline: Pipeline
    redis: Redis
    lists: Lists
    item_lists: ItemListCache
    producer: Producer
    list_producer: Producer
    failpoints: Failpoints
    budget: MaintenanceBudget = field(default_factory=MaintenanceBudget)
    own_messages: OwnMessages = field(default_factory=OwnMessages)
    checkpoint_pauses: SharedPauses = field(default_factory=SharedPauses)
    heads: ShardHeads = field(init=False)
    versions: ListVersions = field(init=False)
    delta_delivery: DeltaDelivery = field(init=False)
    list_delivery: JointDelivery = field(init=False)

    def __post_init__(self) -> None:
        """Make what belongs to the pipeline, also where a copy has another pipeline."""
        heads = ShardHeads(self.redis)
        versions = ListVersions(heads, self.lists, self.pipeline.state_prefix)
        object.__setattr__(self, "heads", heads)
        object.__setattr__(self, "versions", versions)
        deltas = DeltaDelivery(self.producer, self.own_messages, self.pipeline.interactions_topic)
        object.__setattr__(self, "delta_delivery", deltas)
        of_lists = JointDelivery(self.list_producer, rest_s=_LIST_REST_S)
        object.__setattr__(self, "list_delivery", of_lists)
