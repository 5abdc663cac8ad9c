"""Lists the topics that the app needs, and creates missing ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StateError
from streamapp.pipelines import pipelines
from streamapp.transport.connection import broker_addresses, client_options
from streamapp.transport.producer import MAX_MESSAGE_BYTES

_WEEK_MS = str(7 * 24 * 3600 * 1000)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic the app needs.

    Attributes:
        name: Its name.
        purpose: What it carries, for people.
        config: The topic settings with which it is made.
    """

    name: str
    purpose: str
    config: dict[str, str] = field(default_factory=dict)


def needed_topics(settings: Settings) -> list[Topic]:
    """Return the topics that the app needs under these settings."""
    large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
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
            Topic(name, "internal", internal)
            for one in pipelines(settings).values()
            for name in (one.interactions_topic, one.deltas_topic)
        ),
        Topic(settings.lists_topic, "lists", {"cleanup.policy": "compact"}),
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
