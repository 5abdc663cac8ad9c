"""The backend itself: what every other integration test takes for granted."""

import asyncio
from collections.abc import Callable

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic

from streamapp.transport.topics import administration
from tests.servers.backend import BackendError, backend_named
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

CLICKS = [("u1", "a"), ("u1", "b"), ("u2", "a"), ("u2", "b"), ("u2", "c")]


async def send_clicks(deployment: Deployment) -> None:
    """Produce `CLICKS` as a tracker would."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.servers.bootstrap) as producer:
        for ts, (user, item) in enumerate(CLICKS, start=1_700_000_000):
            value = orjson.dumps({"user_id": user, "item_id": item, "ts": ts})
            await producer.send_and_wait(f"{deployment.name}-clicks", value, key=user.encode())


def neighbours(deployment: Deployment, item: str) -> list[str]:
    """Return the item's list from its key; empty while there is none."""
    with deployment.redis() as redis:
        value = redis.get(f"{deployment.name}:recs:v1:item:{item}")
    return [entry["id"] for entry in orjson.loads(value)["items"]] if value else []


async def test_a_record_comes_back_as_it_was_sent(deployment: Deployment) -> None:
    """A broker of this backend takes a record and hands it to a group."""
    topic = f"{deployment.name}-clicks"
    async with administration(deployment.settings) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])

    async with AIOKafkaProducer(bootstrap_servers=deployment.servers.bootstrap) as producer:
        await producer.send_and_wait(topic, b"value", key=b"key")

    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=deployment.servers.bootstrap,
        group_id=deployment.name,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
    ) as consumer:
        record = await asyncio.wait_for(consumer.getone(), 30)
    assert (record.key, record.value, record.offset) == (b"key", b"value", 0)


def test_a_worker_turns_clicks_into_lists(
    deployment: Deployment, worker: Callable[..., Worker]
) -> None:
    """A worker on this backend starts, counts, writes list keys, and stops in order."""
    one = worker()

    asyncio.run(send_clicks(deployment))

    wait_until(lambda: neighbours(deployment, "a") == ["b", "c"], 30, "a's list")
    assert one.terminate() == 0


@pytest.mark.parametrize("name", ["kafka", "docker", "typo"])
def test_a_backend_that_cannot_run_says_why(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its programs or its engine a backend gives a reason and starts nothing."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    with pytest.raises(BackendError, match=r"no java|no Docker engine|STREAMAPP_TEST_LANE=typo"):
        backend_named(name).check()


def test_a_redis_that_was_killed_has_what_it_had(own_deployment: Deployment) -> None:
    """A Redis of one test keeps acknowledged writes over a kill."""
    with own_deployment.redis() as redis:
        redis.set("key", "value")
    own_deployment.servers.redis.kill()
    own_deployment.servers.redis.start()

    with own_deployment.redis() as redis:
        assert redis.get("key") == b"value"


def test_a_broker_that_was_killed_has_what_it_had(own_deployment: Deployment) -> None:
    """A broker of one test keeps its topics over a kill, if the backend has one that can."""
    broker = own_deployment.servers.broker
    if not broker.keeps_data:
        pytest.skip("the broker of this backend holds everything in memory")

    async def topics() -> list[str]:
        async with administration(own_deployment.settings) as admin:
            await admin.create_topics([NewTopic("kept", 1, 1)])
            broker.kill()
            await asyncio.to_thread(broker.start)
        async with administration(own_deployment.settings) as admin:
            return list(await admin.list_topics())

    assert asyncio.run(topics()) == ["kept"]
