"""Lists the topics that the app needs, and creates missing ones."""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streamapp.config.settings import Settings
from streamapp.core.lists.list_format import most_bytes
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.errors import ConfigError, StateError
from streamapp.pipelines import pipelines
from streamapp.transport.connection import broker_addresses, client_options

logger = logging.getLogger(__name__)

_LIMIT = "max.message.bytes"
_CLOCK = "message.timestamp.type"
_BROKERS_CLOCK = "LogAppendTime"
_WEEK_MS = str(7 * 24 * 3600 * 1000)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic the app needs.

    Attributes:
        name: Its name.
        purpose: What it carries, for people.
        config: The topic settings with which it is made.
        largest: Bytes of the largest message that the app may have to send to it.
        why: What makes that message so large, for people.
    """

    name: str
    purpose: str
    config: dict[str, str] = field(default_factory=dict)
    largest: int = 0
    why: str = ""


def needed_topics(settings: Settings) -> list[Topic]:
    """Return the topics that the app needs under these settings."""
    # The broker dates what workers send: it would refuse, or soon drop, messages of a wrong clock.
    large = {_LIMIT: str(MAX_MESSAGE_BYTES), _CLOCK: _BROKERS_CLOCK}
    internal = {"cleanup.policy": "delete", "retention.ms": _WEEK_MS, **large}
    events = [Topic(name, "events") for name in settings.event_topics]
    if settings.catalogue_topic:
        compact = {"cleanup.policy": "compact", "delete.retention.ms": _WEEK_MS}
        events.append(Topic(settings.catalogue_topic, "catalogue", compact))
    letters = [
        Topic(topic.name + settings.dead_letter_suffix, "dead letters", large) for topic in events
    ]
    return [
        *events,
        *letters,
        *(
            Topic(name, "internal", internal, MAX_MESSAGE_BYTES, "internal messages")
            for one in pipelines(settings).values()
            for name in (one.interactions_topic, one.deltas_topic)
        ),
        Topic(
            settings.lists_topic,
            "lists",
            {"cleanup.policy": "compact", **large},
            most_bytes(settings.top_n),
            f"lists with TOP_N={settings.top_n}",
        ),
    ]


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a client for administration.

    Raises:
        ConfigError: no broker can be reached.
    """
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=10_000)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise ConfigError(
            f"STREAMAPP_BROKER_URL: no kafka at {', '.join(broker_addresses(settings))} ({error})"
        ) from None
    try:
        yield admin
    finally:
        await admin.close()


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Return the number of partitions of every topic that exists."""
    described = await admin.describe_topics()
    return {one["topic"]: len(one["partitions"]) for one in described if not one["error_code"]}


async def ensure_topics(
    admin: AIOKafkaAdminClient, settings: Settings
) -> list[tuple[Topic, int, bool]]:
    """Make the topics that are missing; return (topic, partitions, whether it was made now).

    Raises:
        StateError: Kafka refuses to make a topic.
    """
    counts = await partition_counts(admin)
    needed = needed_topics(settings)
    missing = [topic for topic in needed if topic.name not in counts]
    if missing:
        answer = await admin.create_topics(
            [
                NewTopic(
                    topic.name,
                    settings.partitions,
                    settings.replication,
                    topic_configs=topic.config,
                )
                for topic in missing
            ]
        )
        for name, code, *detail in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                reason = detail[0] if detail and detail[0] else error.description
                raise StateError(f"kafka does not make the topic {name}: {reason}")
        counts |= {topic.name: settings.partitions for topic in missing}
    made = {topic.name for topic in missing}
    return [(topic, counts[topic.name], topic.name in made) for topic in needed]


async def topic_configs(
    admin: AIOKafkaAdminClient, topics: Iterable[Topic]
) -> dict[str, dict[str, str]]:
    """Return the settings of each topic by name, as far as Kafka says them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    try:
        answers = await admin.describe_configs(asked)
    except KafkaError as error:
        # The right to ask is not needed for anything else.
        logger.warning("kafka does not tell the settings of topics (%s)", type(error).__name__)
        return {}
    return {
        name: {setting: value for setting, value, *_ in entries}
        for answer in answers
        for error_code, _, _, name, entries in answer.resources
        if not error_code
    }


def message_limits(configs: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Return the largest record batch of each topic in bytes, as far as Kafka says so."""
    return {name: int(config[_LIMIT]) for name, config in configs.items() if config.get(_LIMIT)}


def dated_by_workers(
    topics: Iterable[Topic], configs: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Return the topics whose records have the time of the worker, not of the broker.

    Kafka refuses a worker whose clock is far ahead there, and may soon drop what a worker sends
    whose clock is far behind.
    """
    return [
        topic.name
        for topic in topics
        if _CLOCK in topic.config
        and configs.get(topic.name, {}).get(_CLOCK, _BROKERS_CLOCK) != _BROKERS_CLOCK
    ]


def check_limits(topics: Iterable[Topic], limits: Mapping[str, int]) -> None:
    """Refuse topics that do not take the largest message of the app.

    Raises:
        ConfigError: a topic takes less.
    """
    for topic in topics:
        limit = limits.get(topic.name, topic.largest)
        if limit < topic.largest:
            raise ConfigError(
                f"the topic {topic.name} takes messages of {limit:,} bytes ({_LIMIT}), and "
                f"{topic.why} may have {topic.largest:,}: set {_LIMIT} of the topic to "
                f"{MAX_MESSAGE_BYTES}"
            )
