"""Logs when no broker answers: aiokafka waits by itself, and logs only single failures."""

import asyncio
import logging
from typing import NoReturn

from aiokafka.client import AIOKafkaClient

from streamapp.retry_log import should_log

logger = logging.getLogger(__name__)

_WATCH_S = 2.0

_PATIENCE_S = 5.0
"""Longest time for an answer."""


async def watch_brokers(client: AIOKafkaClient, url: str) -> NoReturn:
    """Ask for the cluster's metadata every few seconds, and log when no broker answers.

    Args:
        client: The client, connected.
        url: The brokers, as the operator named them.
    """
    failures = 0
    while True:
        await asyncio.sleep(_WATCH_S)
        if await _answered(client):
            failures = 0
            continue
        failures += 1
        if should_log(failures):
            logger.warning("kafka does not answer at %s, attempt %d; waiting for it", url, failures)


async def _answered(client: AIOKafkaClient) -> bool:
    try:
        return bool(await asyncio.wait_for(client.force_metadata_update(), _PATIENCE_S))
    except TimeoutError:
        return False
