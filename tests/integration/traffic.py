"""The records that go into the topics, and the lists that come out."""

import asyncio
import csv
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from streamapp.inspection.snapshot import read_layout
from streamapp.pipelines import main_pipeline
from streamapp.store.redis.connection import opened
from streamapp.store.values.hidden_items import HiddenItems, read_hidden
from streamapp.transport.topics import administration, partition_counts
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.support.topic_reader import newest_lists


class Sent(NamedTuple):
    """A record to produce."""

    value: bytes | None
    key: bytes | None
    topic: str = "clicks"


def event(user: str, item: str, **fields: object) -> Sent:
    """Return a good event of a user, with the user as its key."""
    value = {"user_id": user, "item_id": item, "ts": 1_700_000_000, **fields}
    return Sent(orjson.dumps(value), user.encode())


def product(item: str, **fields: object) -> Sent:
    """Return a record of the catalogue."""
    return Sent(orjson.dumps({"item_id": item, **fields}), item.encode(), "catalogue")


def deleted(item: str) -> Sent:
    """Return the record of an item that is no longer in the catalogue."""
    return Sent(None, item.encode(), "catalogue")


def with_catalogue(deployment: Deployment) -> None:
    """Turn the catalogue on."""
    deployment.env["STREAMAPP_CATALOGUE_TOPIC"] = f"{deployment.name}-catalogue"


async def produce(
    deployment: Deployment, records: Iterable[Sent], codec: str | None = None
) -> None:
    """Send records, in order, perhaps compressed, and return when the broker has them."""
    async with AIOKafkaProducer(
        bootstrap_servers=deployment.servers.bootstrap,
        max_request_size=4_194_304,
        compression_type=codec,
    ) as producer:
        sent = [
            await producer.send(f"{deployment.name}-{topic}", value, key)
            for value, key, topic in records
        ]
        for one in sent:
            await one


async def read_topic(deployment: Deployment, topic: str) -> list[ConsumerRecord]:
    """Return all records of a topic, partition by partition."""
    async with administration(deployment.settings) as admin:
        count = (await partition_counts(admin))[topic]
    async with AIOKafkaConsumer(
        bootstrap_servers=deployment.servers.bootstrap, fetch_max_wait_ms=100
    ) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        records: list[ConsumerRecord] = []
        while True:
            for some in (await consumer.getmany(timeout_ms=500)).values():
                records += some
            behind = 0
            for tp in partitions:
                high = consumer.highwater(tp)
                behind += high is None or await consumer.position(tp) < high
            if not behind:
                return records


async def topic_as_keys(deployment: Deployment) -> dict[str, bytes]:
    """Return the output topic read into a dict: of each key the record with the highest `seq`."""
    return newest_lists(await read_topic(deployment, f"{deployment.name}-lists"))


def redis_lists(deployment: Deployment) -> dict[str, bytes]:
    """Return every list in Redis, under its key on the output topic."""
    prefix = deployment.env["STREAMAPP_LIST_PREFIX"]
    with deployment.redis() as redis:
        keys = list(redis.scan_iter(f"{prefix}*", count=10_000))
        # One by one: on a cluster each has a slot of its own.
        with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.get(key)
            values = pipe.execute()
    return {
        key.decode().removeprefix(prefix): value
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def hidden_by(deployment: Deployment) -> set[str]:
    """Return the items that every shard hides."""

    async def read() -> HiddenItems:
        async with opened(deployment.settings) as redis:
            layout = await read_layout(redis, main_pipeline(deployment.settings))
            shards = layout[deployment.settings.deltas_topic]
            return await read_hidden(redis, deployment.settings.state_prefix, shards)

    found = asyncio.run(read())
    return found.items - found.disputed


def hidden_in_lists(deployment: Deployment, hidden: Collection[str]) -> list[tuple[str, str]]:
    """Return the lists that show a hidden item, each with the item."""
    return [
        (name, entry["id"])
        for name, content in redis_lists(deployment).items()
        for entry in orjson.loads(content)["items"]
        if entry["id"] in hidden
    ]


class Act(NamedTuple):
    """A line of an event log."""

    user: str
    item: str
    type: str
    ts: float
    order: str = ""


def synthetic(
    seed: int, events: int, users: int = 400, items: int = 90, orders: int = 0
) -> Iterator[Act]:
    """Yield a seeded shop: popular items, several types, repeats, some late events.

    It has fewer items than a history by default, so that two topics may be read in any order.
    With `orders`, two of three purchases belong to one of that many orders of each user.
    """
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    for number in range(events):
        act = Act(
            user=f"u{int(users * chance.random() ** 2)}",
            item=f"sku-{int(items * chance.random() ** 3)}",
            type=chance.choices(("click", "add_to_cart", "purchase"), (8, 1, 1))[0],
            ts=1_600_000_000.0 + number - (chance.randrange(5_000) if not number % 17 else 0),
        )
        if orders and act.type == "purchase" and chance.random() < 2 / 3:
            act = act._replace(order=f"{act.user}/{chance.randrange(orders)}")
        yield act


def write_log(path: Path, acts: Iterable[Act]) -> Path:
    """Write an event log."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "type", "ts", "order_id"))
        writer.writerows(acts)
    return path


def succeeded(deployment: Deployment, module: str, *arguments: str, within_s: float = 300) -> str:
    """Run a command that must exit 0, and return its output."""
    done = deployment.run(module, *arguments, within_s=within_s)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def rebuilt(deployment: Deployment, *options: str) -> dict[str, Any]:
    """Rebuild, as soon as Kafka knows of no worker, and return what was done.

    Kafka counts a worker that was killed, or that has an instance id, until its session is over.
    """

    def done() -> str | None:
        ended = deployment.run("streamapp", "rebuild", "--yes", "--json", *options)
        if "workers live: " in ended.stderr:
            return None
        assert ended.returncode == 0, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    report: dict[str, Any] = orjson.loads(wait_until(done, 60, "no worker lives") or "")
    return report


def audited(deployment: Deployment, logs: Sequence[Path]) -> dict[str, Any]:
    """Run the audit, which must find no difference, and return its report."""
    names = [argument for log in logs for argument in ("--log", str(log))]
    report: dict[str, Any] = orjson.loads(
        succeeded(deployment, "streamapp", "audit", *names, "--json", "--timeout", "200")
    )
    assert report["differences"] == 0
    return report
