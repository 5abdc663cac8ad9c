"""Store. What the state was built on: the number of partitions of every topic behind it."""

from collections.abc import Mapping

from redis.asyncio import Redis

from streamapp.errors import ConfigError
from streamapp.settings import Settings


async def check_layout(redis: Redis, settings: Settings, counts: Mapping[str, int]) -> None:
    """Note the partition counts under a new state, and refuse others under an old one.

    Raises:
        ConfigError: a topic has another number of partitions than when the state was begun.
    """
    key = f"{settings.state_prefix}layout"
    topics = (*settings.event_topics, settings.interactions_topic, settings.deltas_topic)
    for topic in topics:
        await redis.hsetnx(key, topic, str(counts[topic]))
    stored = await redis.hgetall(key)
    for topic in topics:
        begun_with = int(stored[topic.encode()])
        if begun_with != counts[topic]:
            raise ConfigError(
                f"{topic} has {counts[topic]} partitions, the state was begun with {begun_with}: "
                "users or items would change their partition. Make the topic with "
                f"{begun_with} partitions, or use another GROUP_ID and STATE_PREFIX to start anew"
            )
