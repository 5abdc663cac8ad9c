"""A session: the settings, and Redis and Kafka as a command needs them.

A command is for people and for scripts, so unlike a worker it does not wait for a server that is
not there: it says so and ends.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StreamappError
from streamapp.pipelines import followers
from streamapp.store.redis.connection import opened
from streamapp.store.redis.error_meanings import Meaning, meaning_of, refusal, reply_of
from streamapp.store.state_layout import check_kinds, read_state_id
from streamapp.transport.topics import administration, partition_counts


@asynccontextmanager
async def redis_session(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a Redis client; errors of Redis or Kafka in the body become one line.

    Raises:
        StreamappError: Redis or Kafka cannot be reached, or fails.
    """
    with one_line_errors():
        async with opened(settings) as redis:
            yield redis


@asynccontextmanager
async def state_session(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a Redis client for a command that reads the state of all kinds of lists.

    Raises:
        ConfigError: the state was begun with other kinds than the settings switch on.
        StreamappError: Redis or Kafka cannot be reached, or fails.
    """
    async with redis_session(settings) as redis:
        if state_id := await read_state_id(redis, settings.state_prefix):
            check_kinds(state_id, settings)
        yield redis


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors of Redis and Kafka into a `StreamappError` of one line."""
    try:
        yield
    except RedisError as error:
        if meaning_of(error) is Meaning.RIGHT_MISSING:
            raise refusal(error, "a call") from None
        raise StreamappError(f"redis failed: {reply_of(error)}") from None
    except KafkaError as error:
        raise StreamappError(f"kafka failed: {error}") from None


async def existing_partitions(settings: Settings, topics: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of each of `topics`.

    Raises:
        ConfigError: Kafka cannot be reached, or a topic does not exist.
    """
    async with administration(settings) as admin:
        counts = await partition_counts(admin)
    wanted = list(topics)
    if missing := [topic for topic in wanted if topic not in counts]:
        raise ConfigError(
            f"kafka has no topic {', '.join(missing)}; make the topics with `streamapp topics`"
        )
    return {topic: counts[topic] for topic in wanted}


def state_topics(settings: Settings) -> list[str]:
    """Return the topics that the state depends on."""
    return list(followers(settings))
