"""Makes the internal topics with another number of partitions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient

from streamapp.config.settings import Settings
from streamapp.errors import StreamappError
from streamapp.transport.topics import administration, ensure_topics, partition_counts

_PATIENCE_S = 60.0
_RETRY_S = 0.2


async def make_internal_topics(settings: Settings, topics: Sequence[str]) -> None:
    """Make internal topics that are missing, or that have another number of partitions.

    A topic with another number is deleted and made again, because Kafka cannot shrink one, and some
    brokers cannot add partitions.

    Raises:
        StreamappError: the broker does not do it within a minute.
    """
    async with administration(settings) as admin:
        counts = await partition_counts(admin)
        wrong = [
            topic
            for topic in topics
            if counts.get(topic, settings.partitions) != settings.partitions
        ]
        if wrong:
            await admin.delete_topics(wrong)
            await _until(
                admin, lambda now: not now.keys() & set(wrong), f"delete {', '.join(wrong)}"
            )
        await ensure_topics(admin, settings)
        await _until(
            admin,
            lambda now: all(now.get(topic) == settings.partitions for topic in topics),
            f"make {', '.join(topics)} with {settings.partitions} partitions",
        )


async def _until(
    admin: AIOKafkaAdminClient, holds: Callable[[Mapping[str, int]], bool], what: str
) -> None:
    """Wait until the partitions of all topics are as wanted.

    Raises:
        StreamappError: they are not within `_PATIENCE_S`.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if holds(await partition_counts(admin)):
                    return
                await asyncio.sleep(_RETRY_S)
    except TimeoutError:
        raise StreamappError(f"kafka does not {what}; repeat the command") from None
