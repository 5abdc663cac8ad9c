"""Asks Kafka which members the consumer group has."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

from streamapp.config.settings import Settings
from streamapp.errors import UnansweredError
from streamapp.transport.topics import administration

_PATIENCE_S = 10.0
"""Longest wait for a coordinator; a cluster without any group needs a second to name one."""

_RETRY_S = 0.2
_PASSES = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)


async def live_members(settings: Settings) -> list[str]:
    """Return the members of the consumer group, each as `member id at host`, in byte order.

    Kafka forgets a worker that ends in order at once. It forgets a worker that was killed, or that
    has an `INSTANCE_ID`, after `SESSION_TIMEOUT`. The embedded broker names no host and lists
    members that ended long ago, so a member without a host does not count.

    Raises:
        ConfigError: no broker can be reached.
        UnansweredError: Kafka names no coordinator of the group within `_PATIENCE_S`.
        KafkaError: Kafka refuses to describe the group.
    """
    try:
        async with administration(settings) as admin, asyncio.timeout(_PATIENCE_S):
            return await described_members(admin, settings.group_id)
    except TimeoutError:
        raise UnansweredError(
            f"kafka does not say which members the group {settings.group_id} has; try again"
        ) from None


async def described_members(admin: AIOKafkaAdminClient, group: str) -> list[str]:
    """Return the members of a group that have a host; ask again while its coordinator is away.

    Raises:
        KafkaError: Kafka refuses to describe the group.
    """
    while True:
        try:
            return _members(await admin.describe_consumer_groups([group]))
        except _PASSES:
            await asyncio.sleep(_RETRY_S)


def _members(answers: list[Any]) -> list[str]:
    """Return the members in answers of the brokers.

    Raises:
        KafkaError: an answer is an error.
    """
    found = []
    for answer in answers:
        for code, _, _, _, _, members, *_ in answer.groups:
            if code:
                raise for_code(code)
            found += [
                f"{member_id} at {host.removeprefix('/')}"
                for member_id, _, host, *_ in members
                if host
            ]
    return sorted(found)
