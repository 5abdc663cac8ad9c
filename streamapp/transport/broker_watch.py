"""Says when no broker answers: aiokafka waits by itself, and tells only what failed."""

import asyncio
import logging
from typing import NoReturn

from aiokafka.client import AIOKafkaClient

logger = logging.getLogger(__name__)

_WATCH_S = 2.0

_PATIENCE_S = 5.0
"""How long an answer may take."""


async def watch_brokers(client: AIOKafkaClient, url: str) -> NoReturn:
    """Ask for what every broker knows, again and again, and say so now and then if none tells.

    Args:
        client: The client, connected.
        url: What people call the brokers.
    """
    failures = 0
    while True:
        await asyncio.sleep(_WATCH_S)
        if await _answered(client):
            failures = 0
            continue
        failures += 1
        if failures in {2, 8} or failures % 30 == 0:
            logger.warning("kafka does not answer at %s, attempt %d; waiting for it", url, failures)


async def _answered(client: AIOKafkaClient) -> bool:
    try:
        return bool(await asyncio.wait_for(client.force_metadata_update(), _PATIENCE_S))
    except TimeoutError:
        return False
