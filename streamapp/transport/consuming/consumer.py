"""A Faust consumer that yields record batches and starts at the positions of the stored state.

Faust's own cost is per message: four tasks and a lock each. One message carries all records that
one read brought from a partition, which makes that cost small (ADR-0005). The offset that Kafka has
committed is only a hint for lag tools. Reading starts where the state says, and the consumer
commits what the state holds.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import InconsistentGroupProtocolError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from streamapp.errors import ConfigError
from streamapp.transport.consuming.consumer_thread import ConsumerThread
from streamapp.transport.consuming.partition_owner import PartitionOwner
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import RecordBatch

if TYPE_CHECKING:
    from streamapp.transport.consuming.faust_transport import Transport

_IDLE_WAIT_S = 1.0
_BUSY_WAIT_S = 0.02


class Consumer(driver.Consumer):
    """Reads record batches for the transport's `PartitionOwner`."""

    transport: "Transport"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A read that runs during a seek would return records that are no longer valid, and leave
        # the position behind them.
        self._reading = asyncio.Lock()

    @property
    def owner(self) -> PartitionOwner:
        """Processes what is read."""
        return self.transport.owner

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Open the assigned partitions and start reading each where its state ends."""
        # If one rebalance follows another at once, tasks of the first may still run. They must not
        # get the records that are read after the next line.
        await self.owner.drop()
        committed = {TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        offsets = await read_offsets(self.transport.settings, self.assignment(), committed)
        await self.seek_to(await self.owner.open(offsets))

    async def check_group(self) -> None:
        """Check that Kafka lets this worker into its group, also while it has no partitions.

        Raises:
            ConfigError: Kafka refuses the worker.
        """
        thread = cast("ConsumerThread", self._thread)
        try:
            await thread.call_thread(thread.check_group)
        except InconsistentGroupProtocolError:
            raise ConfigError(
                f"kafka does not let this worker into the group {self.app.conf.id}: workers of the "
                "group read other topics, because their settings differ, or Kafka remembers some "
                "that have an INSTANCE_ID; stop all of them, wait for SESSION_TIMEOUT, and start "
                "them with the same settings"
            ) from None
        except KafkaError as error:
            reason = getattr(error, "description", "") or error
            raise ConfigError(
                f"kafka does not let this worker into the group {self.app.conf.id}: {reason} "
                f"({type(error).__name__}); check GROUP_ID, INSTANCE_ID and SESSION_TIMEOUT, and "
                "what the broker allows"
            ) from None

    async def seek_to(self, positions: Mapping[TP, int]) -> None:
        """Continue to read at these offsets."""
        if positions:
            async with self._reading:
                await self.seek_wait(positions)
            self._committed_offset.update(positions)

    async def getmany(  # the signature is Faust's
        self,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncIterator[tuple[TP, Message]]:
        """Yield one message per partition that has records and can take them."""
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
                # Faust drops records below the last offset it saw, and may set that offset only
                # after a seek went behind it. Epochs say exactly which records are void.
                self._read_offset.pop(tp, None)
                yield tp, self._batch_message(tp, records, epochs[tp])

    async def verify_all_partitions_active(self) -> None:
        """Log partitions that Kafka does not answer for.

        Faust does the same, with a turn of the event loop for each partition.
        """
        now = monotonic()
        for tp in self.assignment():
            self.verify_event_path(now, tp)

    def _batch_message(self, tp: TP, records: list[Any], epoch: int) -> Message:
        message: Any = self._to_message(tp, records[-1])
        thread = cast("ConsumerThread", self._thread)
        message.value = RecordBatch(TP(*tp), records, epoch, thread.backlog)
        return cast("Message", message)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        self.transport.failpoints.reach("consumer.commit-due")
        return self.owner.stored_position(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the committed offset does not come from acknowledgements."""
