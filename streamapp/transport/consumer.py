"""A Faust consumer that hands on record batches and starts at the fences of the state.

Faust's own cost is per message: four tasks and a lock each. One message that carries what a whole
read brought from a partition makes that cost small (ADR-0005). What Kafka has committed is only a
hint for lag tools: reading starts where the state says, and what is committed is what the state
holds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar, Protocol, cast

import aiokafka
import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.transports import ConsumerT

from streamapp.errors import ConfigError
from streamapp.transport.lenient_headers import read_any_name
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import Offsets, RecordBatch

_IDLE_WAIT_S = 1.0
_BUSY_WAIT_S = 0.02


class PartitionOwner(Protocol):
    """Whoever processes the partitions that this consumer reads."""

    async def drop(self) -> None:
        """Work on nothing any more."""
        ...

    async def open(self, offsets: Mapping[TP, Offsets]) -> Mapping[TP, int]:
        """Take over these partitions and no others; return where to start reading each."""
        ...

    def epoch(self, tp: TP) -> int:
        """Return a number that changes whenever reading of `tp` starts at another offset."""
        ...

    def with_capacity(self, tps: Iterable[TP]) -> set[TP]:
        """Return those partitions whose records there is room for."""
        ...

    def stored_position(self, tp: TP) -> int | None:
        """Return the first offset that the stored state does not hold yet."""
        ...


class Records(faust.Schema[None, RecordBatch]):
    """Passes a record batch through Faust untouched."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Keys stay with their records."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the record batch."""
        return message.value


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka; adds the settings that Faust does not pass on."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        read_any_name()
        consumer = super()._create_worker_consumer(transport)
        app: Any = self.app
        # Faust passes 1500, and ties the other to its own transactions.
        consumer._fetch_max_wait_ms = app.settings.fetch_max_wait_ms  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return cast("aiokafka.AIOKafkaConsumer", consumer)

    async def check_group(self) -> None:
        """Raise what the group refused, which aiokafka keeps for whoever reads next."""
        coordinator = self._consumer._coordinator if self._consumer else None  # noqa: SLF001
        if coordinator is not None:
            coordinator.check_errors()


class Consumer(driver.Consumer):
    """Reads record batches for the app's `PartitionOwner`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A read that is under way while reading goes back would take records that then are void,
        # and leave the position behind them.
        self._reading = asyncio.Lock()

    @property
    def owner(self) -> PartitionOwner:
        """Whoever processes what is read."""
        app: Any = self.app
        return cast("PartitionOwner", app.assignment)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Open the assigned partitions and start reading each where its state ends."""
        # Where one rebalance follows another at once, what the first one opened may still be at
        # work, and would be given what is read after the next line.
        await self.owner.drop()
        committed = {TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        app: Any = self.app
        offsets = await read_offsets(app.settings, self.assignment(), committed)
        await self.seek_to(await self.owner.open(offsets))

    async def check_group(self) -> None:
        """Look whether Kafka lets this worker into its group; without partitions nobody else does.

        Raises:
            ConfigError: it does not.
        """
        thread = cast("ConsumerThread", self._thread)
        try:
            await thread.call_thread(thread.check_group)
        except KafkaError as error:
            raise ConfigError(
                f"kafka does not let this worker into the group {self.app.conf.id}: "
                f"{error.description or error} ({type(error).__name__}); check GROUP_ID, "
                "INSTANCE_ID and SESSION_TIMEOUT, and what the broker allows"
            ) from None

    async def seek_to(self, positions: Mapping[TP, int]) -> None:
        """Go on reading at these offsets."""
        if positions:
            async with self._reading:
                await self.seek_wait(positions)
            self._committed_offset.update(positions)

    async def getmany(  # the signature is Faust's
        self,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncIterator[tuple[TP, Message]]:
        """Yield one message per partition that has records and room for them."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        async with self._reading:
            assigned = self._get_active_partitions()
            ready = self.owner.with_capacity(assigned)
            epochs = {tp: self.owner.epoch(tp) for tp in ready}
            generation = self.app.consumer_generation_id
            wait = _IDLE_WAIT_S if len(ready) == len(assigned) else _BUSY_WAIT_S
            fetched = await self._getmany(active_partitions=ready, timeout=wait) if ready else {}
        if not ready:
            await self.sleep(_BUSY_WAIT_S)
        for tp, records in fetched.items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            if records and self.owner.epoch(tp) == epochs[tp]:
                # Faust drops what lies below the last offset it saw, and may note that one only
                # after a seek went back behind it. Epochs say better what is void.
                self._read_offset.pop(tp, None)
                yield tp, self._batch_message(tp, records, epochs[tp])

    def _batch_message(self, tp: TP, records: list[Any], epoch: int) -> Message:
        message: Any = self._to_message(tp, records[-1])
        message.value = RecordBatch(TP(*tp), records, epoch)
        return cast("Message", message)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        app: Any = self.app
        app.outside.failpoints.reach("consumer.commit-due")
        return self.owner.stored_position(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch spans many offsets, and what is committed does not come from acknowledgements."""


class Transport(driver.Transport):
    """Faust's aiokafka transport with this consumer."""

    Consumer: ClassVar[type[ConsumerT]] = Consumer
