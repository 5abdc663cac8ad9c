"""The thread of Faust that runs aiokafka, with the settings that Faust does not pass on."""

import time
from typing import TYPE_CHECKING, Any, cast

import aiokafka
from faust.transport.drivers import aiokafka as driver

from streamapp.transport.lenient_headers import read_any_name

if TYPE_CHECKING:
    from streamapp.transport.faust_transport import Transport


_IDLE_S = 1.0
"""Seconds without records after which Kafka may hold back an empty answer for longer."""

_CHEAP_PARTITIONS = 32
"""A read of more partitions than this costs so much that idle workers read less often."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka; adds the settings that Faust does not pass on."""

    transport: "Transport"
    _records_at = 0.0

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        read_any_name()
        consumer = super()._create_worker_consumer(transport)
        settings = self.transport.settings
        # Faust passes 1500 ms, and ties the isolation level to its own transactions.
        consumer._fetch_max_wait_ms = settings.fetch_max_wait_ms  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001
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
