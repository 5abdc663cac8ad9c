"""Watchdogs: the checks of a running worker every few seconds, beside the stages.

Each is a coroutine that ends with the worker's service. `fail` ends the process.
"""

import logging
from collections.abc import Awaitable, Callable

from mode import Service
from redis.asyncio import Redis

from streamapp.agents.runtime.assignment import Assignment
from streamapp.errors import ConfigError, StateError, StreamappError, UnansweredError
from streamapp.store.redis.health import check_policy, identity_of, read_masters
from streamapp.worker.stage_factory import StageFactory

logger = logging.getLogger(__name__)

Fail = Callable[[BaseException], None]

_INTERVAL_S = 2.0


async def watch_redis(
    service: Service, redis: Redis, stages: StageFactory, assignment: Assignment, fail: Fail
) -> None:
    """Let stages reload their state when another Redis answers; end the process if it is unfit."""
    while not service.should_stop:
        await service.sleep(_INTERVAL_S)
        try:
            masters = await read_masters(redis)
            check_policy(masters)
        except StreamappError as error:
            fail(error)
            return
        if (found := identity_of(masters)) != stages.redis_identity:
            logger.warning("redis was restarted or replaced; reading the state again")
            stages.redis_identity = found
            assignment.suspect_loss()


async def watch_positions(
    service: Service, redis: Redis, assignment: Assignment, fail: Fail
) -> None:
    """Let a stage reload its state when its stored position is not where it was left."""
    while not service.should_stop:
        await service.sleep(_INTERVAL_S)
        try:
            await assignment.verify(redis)
        except StreamappError as error:
            fail(error)
            return


async def watch_group(
    service: Service, check_group: Callable[[], Awaitable[None]], fail: Fail
) -> None:
    """End the process if Kafka refuses the worker's place in the group; Faust would wait."""
    while not service.should_stop:
        await service.sleep(_INTERVAL_S)
        try:
            await check_group()
        except ConfigError as error:
            fail(error)


async def watch_topics(
    service: Service, assignment: Assignment, interval_s: float, fail: Fail
) -> None:
    """End the process if a topic was deleted and made again under its name."""
    while not service.should_stop:
        await service.sleep(interval_s)
        try:
            await assignment.check()
        except UnansweredError as error:
            logger.warning("%s; trying again later", error)
        except StateError as error:
            fail(error)
