"""What the state was built on: its generation, and how many partitions every topic had.

The state of every pipeline has a layout of its own. All have one generation, and its name says
which kinds of lists were made beside neighbours from the first event on: one field, set once,
decides for all workers, whoever comes first.
"""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.errors import ConfigError
from streamapp.pipelines import Pipeline, extra_kinds, pipelines

_GENERATION = ":generation"
"""A field that is no topic: the name of a topic has no colon."""


async def read_state_id(redis: Redis, state_prefix: str) -> str:
    """Return which state this is: a text that `streamapp rebuild` changes; "" if there is none."""
    found: Any = await redis.hget(manifest_key(state_prefix), _GENERATION)
    return "" if found is None else str(found.decode())


async def partition_count(redis: Redis, state_prefix: str, topic: str) -> int:
    """Return how many partitions a topic had when the state was begun."""
    found: Any = await redis.hget(manifest_key(state_prefix), topic)
    return int(found or 0)


def manifest_key(state_prefix: str) -> str:
    """Return the key of the hash that says what the state was built on."""
    return f"{state_prefix}layout"


async def check_manifest(redis: Redis, settings: Settings, counts: Mapping[str, int]) -> None:
    """Note the partition counts under a new state, and refuse others under an old one.

    Raises:
        ConfigError: a topic has another number of partitions than when the state was begun, or is
            no longer named by the settings; or other kinds of lists are to be made. A topic that is
            added is counted from its first record.
    """
    first, *others = pipelines(settings).values()
    new = ":".join((token_hex(4), *extra_kinds(settings)))
    generation = await _check_pipeline(redis, first, counts, new)
    check_kinds(generation, settings)
    for one in others:
        if await _check_pipeline(redis, one, counts, generation) != generation:
            raise ConfigError(
                f"what lies under {one.state_prefix} belongs to another state than the rest under "
                f"{first.state_prefix}; count again from the first event with `streamapp rebuild`"
            )


async def _check_pipeline(
    redis: Redis, pipeline: Pipeline, counts: Mapping[str, int], generation: str
) -> str:
    """Do so for one pipeline; return its generation, which is the given one if it is new."""
    key = manifest_key(pipeline.state_prefix)
    topics = pipeline.topics
    noted: Any = await redis.hkeys(key)
    if missing := sorted({name.decode() for name in noted} - {_GENERATION, *topics}):
        raise ConfigError(
            f"the state was begun with the topic {missing[0]}, which is in none of EVENT_TOPICS, "
            "CATALOGUE_TOPIC, INTERACTIONS_TOPIC and DELTAS_TOPIC; set them back, or count again "
            "from the first event with `streamapp rebuild`"
        )
    await redis.hsetnx(key, _GENERATION, generation)
    for topic in topics:
        await redis.hsetnx(key, topic, str(counts[topic]))
    stored = await redis.hgetall(key)
    for topic in topics:
        check_partitions(topic, counts[topic], int(stored[topic.encode()]))
    return await read_state_id(redis, pipeline.state_prefix)


def check_kinds(generation: str, settings: Settings) -> None:
    """Refuse a state that was begun with other kinds of lists than are to be made now.

    Raises:
        ConfigError: it was; what was counted before would be missing, or what comes now.
    """
    _, *before = generation.split(":")
    for kind in PROJECTIONS:
        begun = kind in before
        if begun != (kind in extra_kinds(settings)):
            now, how, back = ("false", "with", "true") if begun else ("true", "without", "false")
            raise ConfigError(
                f"STREAMAPP_{kind.upper()} is {now}, but the state was begun {how} it; set it to "
                f"{back}, or stop all workers and count again from the first event with "
                "`streamapp rebuild`"
            )


def check_partitions(topic: str, found: int, begun: int) -> None:
    """Refuse a topic that has another number of partitions than when the state was begun.

    Raises:
        ConfigError: it has.
    """
    if found != begun:
        raise ConfigError(
            f"{topic} has {found} partitions, the state was begun with {begun}: "
            "users or items would change their partition. Make the topic with "
            f"{begun} partitions, or use another GROUP_ID and STATE_PREFIX to start anew"
        )
