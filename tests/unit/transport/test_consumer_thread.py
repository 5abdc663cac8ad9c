"""How long Kafka may hold back an empty answer, by how much is read and how much comes in."""

from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.transport.drivers import aiokafka as driver

from streamapp.transport.consuming import consumer_thread
from streamapp.transport.consuming.consumer_thread import ConsumerThread
from streamapp.transport.records import TP


class Reading(ConsumerThread):
    """Reads what a test gives, without Kafka.

    Attributes:
        found: What the next read returns.
        consumer_of: In place of the consumer of aiokafka.
        asked: How many partitions the reads were for.
    """

    def __init__(self, partitions: int, wait_ms: int) -> None:
        self.transport: Any = SimpleNamespace(settings=SimpleNamespace(
            fetch_max_wait_ms=wait_ms, event_topics=["clicks", "buys"],
        ))  # fmt: skip
        self.found: dict[str, list[str]] = {}
        self.consumer_of: Any = SimpleNamespace(
            assignment=lambda: {TP("deltas", number) for number in range(partitions)},
            _fetcher=SimpleNamespace(_fetch_max_wait_ms=wait_ms),
            _subscription=SubscriptionState(),
        )
        self.asked: list[Any] = []
        self.backlog = 0

    async def read(self, **records: list[str]) -> int:
        """Read, and return how long Kafka may hold back the next answer in milliseconds."""
        self.found = records
        assert await self._fetch_records(self.consumer_of, {"tp"}, 1.0, 9) == records
        wait_ms: int = self.consumer_of._fetcher._fetch_max_wait_ms
        return wait_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A monotonic clock; reads of Faust return what the test gives."""
    made = SimpleNamespace(now=100.0)

    async def read(thread: Reading, *arguments: Any) -> dict[str, list[str]]:
        thread.asked.append(arguments)
        return thread.found

    monkeypatch.setattr(consumer_thread, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", read)
    return made


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("partitions", "wait_ms", "idle_ms"),
    [(0, 20, 20), (16, 20, 20), (32, 20, 20), (64, 20, 40), (256, 20, 160), (256, 5, 40)],
)
async def test_an_idle_worker_reads_less_often_the_more_partitions_it_has(
    partitions: int, wait_ms: int, idle_ms: int
) -> None:
    """So that a read of all of them costs no more time."""
    assert await Reading(partitions, wait_ms).read() == idle_ms


async def test_a_worker_that_gets_records_reads_at_once(clock: SimpleNamespace) -> None:
    """And for a second after the last one."""
    thread = Reading(256, 20)
    assert await thread.read() == 160
    assert await thread.read(tp=["record"]) == 20
    clock.now += 1.0
    assert await thread.read() == 20
    clock.now += 0.01
    assert await thread.read() == 160
    assert thread.asked == [(thread.consumer_of, {"tp"}, 1.0, 9)] * 4


@pytest.mark.usefixtures("clock")
async def test_the_backlog_is_what_all_event_partitions_have_behind_what_was_read() -> None:
    """Kafka has not answered yet for some of them, and others were just assigned."""
    subscription = SubscriptionState()
    clicks, other, buys, new = (
        TP("clicks", 0), TP("clicks", 1), TP("buys", 0), TP("buys", 1),
    )  # fmt: skip
    subscription.assign_from_user([*_as_theirs(clicks, other, buys, new), *_as_theirs(TP("x", 0))])
    for tp, position, end in ((clicks, 5, 9), (other, 7, 7), (buys, 0, 100), (TP("x", 0), 0, 50)):
        state = subscription.subscription.assignment.state_value(tp)
        state.reset_to(position)
        state.highwater = end
    # Behind offset 90 is a transaction that may yet be aborted.
    subscription.subscription.assignment.state_value(buys).lso = 90
    subscription.subscription.assignment.state_value(new).reset_to(3)
    thread = Reading(0, 20)
    thread.consumer_of._subscription = subscription
    thread.consumer_of.assignment = subscription.assigned_partitions
    await thread.read()
    assert thread.backlog == 0
    await thread.read(tp=["record"])
    assert thread.backlog == 4 + 90


def _as_theirs(*tps: TP) -> list[aiokafka.TopicPartition]:
    return [aiokafka.TopicPartition(*tp) for tp in tps]
