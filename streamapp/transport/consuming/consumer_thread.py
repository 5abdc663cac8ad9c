"""The thread of Faust that runs aiokafka, with the settings that Faust does not pass on."""

import sys
import time
from collections.abc import Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.transport.drivers import aiokafka as driver

from streamapp.config.settings import Settings
from streamapp.pipelines import followers
from streamapp.transport.consuming.lenient_headers import read_any_name

if TYPE_CHECKING:
    from streamapp.transport.consuming.faust_transport import Transport


READ_BYTES = 4_194_304
"""Bytes after which one read of a partition ends, and the largest answer for one partition."""

_IDLE_S = 1.0
"""Seconds without records after which Kafka may hold back an empty answer for longer."""

_CHEAP_PARTITIONS = 32
"""A read of more partitions than this costs so much that idle workers read less often."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka; adds the settings that Faust does not pass on.

    Attributes:
        backlog: About how many records of events there are behind those that were read last.
    """

    transport: "Transport"
    _records_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backlog = 0

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        read_any_name()
        bound_reads()
        consumer = super()._create_worker_consumer(transport)
        settings = self.transport.settings
        # Faust passes 1500 ms, and ties the isolation level to its own transactions.
        consumer._fetch_max_wait_ms = settings.fetch_max_wait_ms  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        if settings.instance_id:
            consumer._partition_assignment_strategy = (_assignor_of(settings),)  # noqa: SLF001
        return cast("aiokafka.AIOKafkaConsumer", consumer)

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[Any],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> Any:
        """Return records, and decide how long Kafka may hold back the answer to the next read.

        A read names all partitions, in the request and in an empty answer. So an idle worker reads
        the less often, the more it has. Kafka answers at once when there is a record; a broker that
        waits to the end delays the first record after a pause.
        """
        found = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        now = time.monotonic()
        if found:
            self._records_at = now
            self.backlog = _backlog(consumer, self.transport.settings.event_topics)
        wait_ms = self.transport.settings.fetch_max_wait_ms
        if now > self._records_at + _IDLE_S:
            wait_ms = max(wait_ms, wait_ms * len(consumer.assignment()) // _CHEAP_PARTITIONS)
        consumer._fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001
        return found

    async def check_group(self) -> None:
        """Raise the group's refusal, which aiokafka keeps for the next read."""
        coordinator = self._consumer._coordinator if self._consumer else None  # noqa: SLF001
        if coordinator is not None:
            coordinator.check_errors()


def _backlog(consumer: aiokafka.AIOKafkaConsumer, topics: Collection[str]) -> int:
    """Return how many records are there behind those that were read, as far as is known."""
    subscription: Any = consumer._subscription.subscription  # noqa: SLF001
    known = (
        subscription.assignment.state_value(tp)
        for tp in consumer.assignment()
        if tp.topic in topics
    )
    return sum(
        max(0, _readable_end(state) - state.position)
        for state in known
        if state.highwater is not None and state.has_valid_position
    )


def _readable_end(state: Any) -> int:
    """Return the offset up to which records can be read; an open transaction holds others back."""
    end: int = state.highwater
    return end if state.lso is None or state.lso < 0 else min(end, state.lso)


def bound_reads() -> None:
    """Let reads of all consumers of this process end after `READ_BYTES`, in bytes of records.

    An answer of Kafka is limited as it is compressed. Its records may have ten thousand times its
    bytes, and aiokafka would return up to `MAX_POLL_RECORDS` of them at once.
    """
    fetcher.FetchResult = _BoundedResult


class _BoundedResult(fetcher.FetchResult):  # type: ignore[misc]
    """The records of one partition in one answer, which several reads return."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records: at most `max_records`, and none behind `READ_BYTES`."""
        if not self.has_more() or not self.check_assignment(self._topic_partition):
            return []
        left = sys.maxsize if max_records is None else max_records
        found = list(_next_ones(self._partition_records, left))
        self._update_position()
        if self._partition_records._records_iterator is None:  # noqa: SLF001 - it is exhausted
            self._partition_records = None
        return found


def _next_ones(records: Iterator[Any], most: int) -> Iterator[Any]:
    size = 0
    for record in islice(records, most):
        yield record
        size += len(record.value or b"") + len(record.key or b"")
        if size >= READ_BYTES:
            return


def _assignor_of(settings: Settings) -> type[RoundRobinPartitionAssignor]:
    """Return Faust's assignor under a name that belongs to the topics that the worker reads.

    Kafka keeps the assignment of a worker with an INSTANCE_ID that starts again, also when the
    worker reads other topics now, unless the name of the assignor changes with them.
    """
    topics = ",".join(sorted(followers(settings)))
    name = f"{RoundRobinPartitionAssignor.name}-{crc32(topics.encode()):08x}"
    return type("TopicsAssignor", (RoundRobinPartitionAssignor,), {"name": name})
