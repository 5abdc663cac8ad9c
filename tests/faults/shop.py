"""A shop that sends events while servers die, and the checks at the end."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from tests.integration.traffic import (
    Act,
    Sent,
    audited,
    read_topic,
    redis_lists,
    succeeded,
    topic_as_keys,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment

_TICK_S = 0.02
_PATIENCE_MS = 180_000
_AGREE_S = 30.0


class Shop:
    """Trackers that send acts at a rate, in order, from a thread of their own.

    Attributes:
        sold: Acts given to the producer; the broker has them when the shop is closed.
    """

    def __init__(self, deployment: Deployment, acts: Iterable[Act], rate: float) -> None:
        """Make it, without opening it.

        Args:
            deployment: The deployment whose topics it uses.
            acts: The acts to send.
            rate: Acts a second.
        """
        self.sold: list[Act] = []
        self._deployment = deployment
        self._acts = iter(acts)
        self._rate = rate
        self._closing = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def open(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop sending; return when the broker has the acts that were sent."""
        self._closing.set()
        self.join()

    def join(self) -> None:
        """Return when the broker has all acts."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            self._failure = error

    async def _send(self) -> None:
        began_at = time.monotonic()
        servers = self._deployment.servers
        async with AIOKafkaProducer(
            bootstrap_servers=servers.bootstrap,
            client_id="shop",
            request_timeout_ms=_PATIENCE_MS,
            # A record that the broker took and did not acknowledge must not be there twice; Tansu
            # cannot.
            enable_idempotence=servers.backend != "embedded",
        ) as producer:
            sent = []
            while not self._closing.is_set():
                due = int((time.monotonic() - began_at) * self._rate) + 1 - len(self.sold)
                acts = list(islice(self._acts, max(0, due)))
                if due > len(acts):
                    self._closing.set()
                for act in acts:
                    topic, key, value = record_of(self._deployment, [act])
                    sent.append(await producer.send(topic, value, key))
                    self.sold.append(act)
                await asyncio.sleep(_TICK_S)
            await producer.flush()
            await asyncio.gather(*sent)


@contextmanager
def selling(deployment: Deployment, acts: Iterable[Act], rate: float) -> Iterator[Shop]:
    """Make the topics and open a shop; close it at the end of the block, however it ends."""
    succeeded(deployment, "streamapp", "topics")
    shop = Shop(deployment, acts, rate)
    shop.open()
    try:
        yield shop
    finally:
        shop.close()


def record_of(deployment: Deployment, acts: Sequence[Act]) -> tuple[str, bytes, bytes]:
    """Return topic, key and value of one record that holds acts of one user and topic."""
    first = acts[0]
    events = [
        {"user_id": act.user, "item_id": act.item, "type": act.type, "ts": act.ts}
        | ({"order_id": act.order} if act.order else {})
        for act in acts
    ]
    topic = "purchases" if first.type == "purchase" else "clicks"
    value = orjson.dumps(events if len(events) > 1 else events[0])
    return f"{deployment.name}-{topic}", first.user.encode(), value


def sent_of(deployment: Deployment, acts: Sequence[Act]) -> Sent:
    """Return one record that holds acts of one user and topic, for `produce`."""
    topic, key, value = record_of(deployment, acts)
    return Sent(value, key, topic.removeprefix(f"{deployment.name}-"))


def total(deployment: Deployment, kind: str, field: str) -> int:
    """Return the sum of a number over the heads of a kind: `u` histories, `i` rows."""
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    with deployment.redis() as redis:
        heads = list(redis.scan_iter(f"{prefix}{{{kind}[0-9]*}}:head", count=10_000))
        return sum(int(redis.hget(key, field) or 0) for key in heads)


def wait_applied(deployment: Deployment, events: int, within_s: float = 120.0) -> None:
    """Wait until this many interactions are in the state."""
    wait_until(
        lambda: total(deployment, "u", "applied") >= events,
        within_s,
        lambda: f"{events} applied, not {total(deployment, 'u', 'applied')}",
    )


def exact(deployment: Deployment, acts: Sequence[Act]) -> dict[str, Any]:
    """Check that counts, lists and the output topic are those of `acts`, each counted once.

    Returns:
        The report of the audit.
    """
    log = write_log(deployment.folder / "acts.csv", acts)
    report = audited(deployment, [log])
    assert report["applied_events"] == len(acts)
    # A worker that opens the first shard publishes the trending list once more, so keys and topic
    # are read until they are of one moment.
    wait_until(
        lambda: not _differing(deployment),
        _AGREE_S,
        lambda: f"keys and topic agree: {_differing(deployment)}",
    )
    return report


def _differing(deployment: Deployment) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return keys whose list is not that of the topic: by `seq`, or as compaction keeps it."""
    lists = redis_lists(deployment)
    return [
        (key, found.get(key), lists.get(key))
        for found in (asyncio.run(topic_as_keys(deployment)), last_records(deployment))
        for key in sorted(found.keys() | lists.keys())
        if found.get(key) != lists.get(key)
    ][:3]


def last_records(deployment: Deployment) -> dict[str, bytes]:
    """Return the last record of each key of the output topic, as compaction keeps it."""
    records = asyncio.run(read_topic(deployment, f"{deployment.name}-lists"))
    newest = {record.key.decode(): record.value for record in records}
    return {key: value for key, value in newest.items() if value is not None}
