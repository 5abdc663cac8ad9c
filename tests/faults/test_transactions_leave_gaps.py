"""A tracker uses transactions: their markers use offsets, and aborted records do not count."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from tests.faults.shop import exact, record_of
from tests.integration.traffic import Act, synthetic
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_ACTS_AT_ONCE = 50


async def send(deployment: Deployment, acts: list[Act]) -> list[Act]:
    """Send acts in transactions of 50, every third of them aborted; return the committed ones."""
    committed: list[Act] = []
    async with AIOKafkaProducer(
        bootstrap_servers=deployment.servers.bootstrap, transactional_id=deployment.name
    ) as producer:
        for start in range(0, len(acts), _ACTS_AT_ONCE):
            some = acts[start : start + _ACTS_AT_ONCE]
            await producer.begin_transaction()
            for act in some:
                topic, key, value = record_of(deployment, [act])
                await producer.send(topic, value, key)
            await producer.flush()
            if start // _ACTS_AT_ONCE % 3 == 2:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
                committed += some
    return committed


async def test_gaps_in_offsets_lose_nothing_and_aborted_events_do_not_count(
    deployment: Deployment,
) -> None:
    """Commits and aborts in turn while a worker reads; a restart goes on after the last marker."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker has no transactions")
    one = await asyncio.to_thread(deployment.worker, instance_id="one")
    acts = list(synthetic(seed=71, events=3_000))
    committed = await send(deployment, acts[:1_500])
    one.kill()
    await asyncio.to_thread(one.start)
    committed += await send(deployment, acts[1_500:])
    await asyncio.to_thread(exact, deployment, committed)
