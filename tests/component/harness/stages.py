"""Stages without a partition task: a real Redis, and a broker that keeps its messages."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.config.settings import Settings
from streamapp.core.messages.interaction_batch import InteractionBatchBuilder, Source
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.failpoints import Failpoints
from streamapp.pipelines import main_pipeline
from streamapp.store.lists import lists_of

STATE_ID = "g"


class Broker:
    """In place of the producer: the sent messages, by topic and partition."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, int], list[Any]] = {}

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 1

    def limit(self, _: str) -> int:
        """Return the bytes of the largest message."""
        return MAX_MESSAGE_BYTES

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> dict[Any, int]:
        """Take messages."""
        for target, some in messages.items():
            self.taken.setdefault(target, []).extend(some)
        return {target: len(self.taken[target]) for target in messages}


async def context(redis: Redis, broker: Broker, **chosen: Any) -> StageContext:
    """Return the context of a stage, with a state that has begun and a partition of each topic."""
    settings = Settings(_env_file=None, state_prefix="s:", list_prefix="l:", **chosen)
    topics = settings.interactions_topic, settings.deltas_topic
    begun: Mapping[Any, Any] = {":generation": STATE_ID, **dict.fromkeys(topics, 1)}
    await redis.hset("s:layout", mapping=begun)
    lists = lists_of(redis, "l:", "s:", cluster=False)
    publisher: Any = broker
    return StageContext(
        settings,
        main_pipeline(settings),
        redis,
        lists,
        ItemListCache(lists),
        publisher,
        publisher,
        Failpoints(),
    )


def record(offset: int, value: bytes, **more: Any) -> Any:
    """Return a record as Kafka hands it over."""
    about = {"key": None, "timestamp": 1_700_000_000_000, "headers": [], **more}
    return SimpleNamespace(offset=offset, value=value, **about)


def events(end: int, *said: tuple[int, str, str, str, float]) -> bytes:
    """Return a cut up to `end` of events, each at an offset: user, item, type and time."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, end))
    for event in said:
        builder.add(*event)
    return builder.encode(STATE_ID, 1)[0]


def cut(end: int, *said: tuple[int, str, str, float]) -> bytes:
    """Return a cut up to `end` of clicks, each at an offset, of a user, an item and a time."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, end))
    for offset, user, item, ts in said:
        builder.add(offset, user, item, "click", ts)
    return builder.encode(STATE_ID, 1)[0]
