"""The thread of Faust that runs aiokafka, with the settings that Faust does not pass on."""

from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.transport.drivers import aiokafka as driver

from streamapp.config.settings import Settings
from streamapp.pipelines import followers
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
        if settings.instance_id:
            consumer._partition_assignment_strategy = (_assignor_of(settings),)  # noqa: SLF001
        return cast("aiokafka.AIOKafkaConsumer", consumer)

    async def check_group(self) -> None:
        """Raise the group's refusal, which aiokafka keeps for the next read."""
        coordinator = self._consumer._coordinator if self._consumer else None  # noqa: SLF001
        if coordinator is not None:
            coordinator.check_errors()


def _assignor_of(settings: Settings) -> type[RoundRobinPartitionAssignor]:
    """Return Faust's assignor under a name that belongs to the topics that the worker reads.

    Kafka keeps the assignment of a worker with an INSTANCE_ID that starts again, also when the
    worker reads other topics now, unless the name of the assignor changes with them.
    """
    topics = ",".join(sorted(followers(settings)))
    name = f"{RoundRobinPartitionAssignor.name}-{crc32(topics.encode()):08x}"
    return type("TopicsAssignor", (RoundRobinPartitionAssignor,), {"name": name})
