"""Agents. What every stage works with."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from streamapp.agents.item_lists import ItemLists
from streamapp.agents.pace import Leisure
from streamapp.core.listing import ITEM
from streamapp.failpoints import Failpoints
from streamapp.settings import Settings
from streamapp.store.lists import Lists
from streamapp.transport.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Outside:
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
    item_lists: ItemLists
    publisher: Publisher
    failpoints: Failpoints
    kind: str = ITEM
    leisure: Leisure = field(default_factory=Leisure)
