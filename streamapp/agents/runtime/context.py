"""What every stage works with."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.runtime.throttle import MaintenanceBudget
from streamapp.config.settings import Settings
from streamapp.failpoints import Failpoints
from streamapp.pipelines import Pipeline
from streamapp.store.lists import Lists
from streamapp.transport.producer import Producer


@dataclass(frozen=True, slots=True)
class StageContext:
    """Settings and connections of a worker, and the pipeline of the stage.

    Attributes:
        settings: What the operator set.
        pipeline: Topics, state and counts that belong to the stage.
        redis: The state.
        lists: The lists that frontends read, in the same Redis.
        item_lists: Those of items, as lists for users are made of them.
        publisher: Sends messages to Kafka.
        failpoints: Where this worker is to die, in tests.
        leisure: What sweeps have of the worker's time; all its pipelines share it.
    """

    settings: Settings
    pipeline: Pipeline
    redis: Redis
    lists: Lists
    item_lists: ItemListCache
    publisher: Producer
    failpoints: Failpoints
    leisure: MaintenanceBudget = field(default_factory=MaintenanceBudget)
