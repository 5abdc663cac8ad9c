"""The thread of Faust that runs aiokafka, with the settings that Faust does not pass on."""

from typing import TYPE_CHECKING, Any, cast

import aiokafka
from faust.transport.drivers import aiokafka as driver

from streamapp.transport.lenient_headers import read_any_name

if TYPE_CHECKING:
    from streamapp.transport.faust_transport import Transport


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka; adds the settings that Faust does not pass on."""

    transport: "Transport"

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        read_any_name()
        consumer = super()._create_worker_consumer(transport)
        settings = self.transport.settings
        # Faust passes 1500 ms, and ties the isolation level to its own transactions.
        consumer._fetch_max_wait_ms = settings.fetch_max_wait_ms  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return cast("aiokafka.AIOKafkaConsumer", consumer)

    async def check_group(self) -> None:
        """Raise the group's refusal, which aiokafka keeps for the next read."""
        coordinator = self._consumer._coordinator if self._consumer else None  # noqa: SLF001
        if coordinator is not None:
            coordinator.check_errors()
