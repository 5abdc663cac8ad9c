"""What every stage works with."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.runtime.maintenance_budget import MaintenanceBudget
from streamapp.config.settings import Settings
from streamapp.core.list_kinds import ITEM
from streamapp.failpoints import Failpoints
from streamapp.store.lists import Lists
from streamapp.transport.producer import Producer


@dataclass(frozen=True, slots=True)
class StageContext:
    """Settings and connections of a worker, as the stages of one pipeline see them.

    Attributes:
        settings: What the operator set, with the topics and the state of the pipeline.
        redis: The state.
        lists: The lists that frontends read, in the same Redis.
        item_lists: Those of items, as lists for users are made of them.
        publisher: Sends messages to Kafka.
        failpoints: Where this worker is to die, in tests.
        kind: Of the item lists that the pipeline makes.
        leisure: What sweeps have of the worker's time; all its pipelines share it.
    """

    settings: Settings
    redis: Redis
    lists: Lists
    item_lists: ItemListCache
    publisher: Producer
    failpoints: Failpoints
    kind: str = ITEM
    leisure: MaintenanceBudget = field(default_factory=MaintenanceBudget)
