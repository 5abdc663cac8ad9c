"""Checks and preparations of a worker before it joins the consumer group."""

import gc
import logging

from redis.asyncio import Redis

from streamapp.config.rules import decay_rule
from streamapp.config.settings import Settings
from streamapp.store.lists import keep_details
from streamapp.store.redis.connection import opened
from streamapp.store.redis.health import check_policy, identity_of, read_masters
from streamapp.store.state_layout import check_layout
from streamapp.transport.topics import (
    administration,
    check_limits,
    dated_by_workers,
    ensure_topics,
    message_limits,
    topic_configs,
)
from streamapp.worker.log_dedup import deduplicate_logs
from streamapp.worker.warm import warm

logger = logging.getLogger(__name__)


def prepare_process(settings: Settings) -> None:
    """Compile the kernels, and adapt logging and the garbage collector to a worker."""
    deduplicate_logs("aiokafka")
    warm(decay_rule(settings), content=settings.content_neighbours)
    # All objects so far live as long as the process. Batches make many objects and few cycles, so
    # the collector runs seldom.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


async def check_servers(settings: Settings, redis: Redis) -> tuple[dict[str, int], str]:
    """Check Kafka and Redis, make missing topics, and compare the state with the settings.

    Returns the largest record batch of each topic in bytes, as far as Kafka says so, and the
    identity of Redis.

    Args:
        settings: The settings.
        redis: The worker's client, which waits for a Redis that does not answer.

    Raises:
        StreamappError: Kafka or Redis cannot be reached or used, or the state does not fit.
    """
    async with opened(settings):
        masters = await read_masters(redis)
        check_policy(masters)
    async with administration(settings) as admin:
        topics = await ensure_topics(admin, settings)
        needed = [topic for topic, _, _ in topics]
        configs = await topic_configs(admin, needed)
    limits = message_limits(configs)
    check_limits(needed, limits)
    if dated := dated_by_workers(needed, configs):
        logger.warning(
            "records of %s have the time of a worker's clock: kafka refuses a worker whose clock "
            "is an hour ahead; set message.timestamp.type of these topics to LogAppendTime",
            ", ".join(dated),
        )
    # From here on the worker waits for conditions that pass, such as a Redis that is full.
    await check_layout(redis, settings, {topic.name: count for topic, count, _ in topics})
    await keep_details(redis, settings.state_prefix, kept=settings.list_details == "ids")
    for topic, count, is_new in topics:
        if is_new:
            logger.info("made the topic %s with %d partitions", topic.name, count)
    return limits, identity_of(masters)
