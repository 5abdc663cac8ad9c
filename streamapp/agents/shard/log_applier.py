"""Applies the records of a shard's log to the shard in memory."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby, islice

from streamapp.agents.runtime.internal_message import decoded_message
from streamapp.core.arrays.array_types import Ints
from streamapp.core.messages.catalogue_update import UPDATE_KEY, decode_update
from streamapp.core.messages.content_neighbours import CONTENT_KEY, decode_content_neighbours
from streamapp.core.messages.delta import decode_deltas
from streamapp.core.messages.norm_update import NORMS_KEY, NormUpdate, decode_norm_update
from streamapp.core.messages.rating_blocks import Blocks, joined
from streamapp.core.shard.shard import Shard
from streamapp.transport.records import TP, KafkaRecord, RecordBatch, RecordFingerprint

_OTHER_KEYS = frozenset({UPDATE_KEY, CONTENT_KEY, NORMS_KEY})
"""The keys of messages that are no deltas; a delta has another key, or none."""

_AT_ONCE_BYTES = 1_000_000
"""Bytes of messages that are applied together.

All tasks of a worker may be ready at the same time. A signal waits until each has had its turn.
"""


class LogApplier:
    """Applies deltas, catalogue updates, content neighbours and norm updates.

    Args:
        shard: The shard.
        load: Brings rows into memory.
        replayed: How many messages were applied before, so far.
        fingerprint: That of the last record in the stored state; None without one.

    Attributes:
        replayed: How many messages were dropped because they were applied before.
        fingerprint: That of the last record that was applied.
        applied_at: Monotonic time in seconds at which records were applied last.
    """

    def __init__(
        self,
        shard: Shard,
        load: Callable[[Ints], Awaitable[None]],
        replayed: int,
        fingerprint: RecordFingerprint | None,
    ) -> None:
        self.replayed = replayed
        self.fingerprint = fingerprint
        self.applied_at = 0.0
        self._shard = shard
        self._load = load

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply record batches; rows that they need are read first.

        The event loop gets its turn after a megabyte.
        """
        first = size = 0
        for last, batch in enumerate(batches):
            if first < last and size + batch.size > _AT_ONCE_BYTES:
                await self._apply(batches[first:last])
                await asyncio.sleep(0)
                first, size = last, 0
            size += batch.size
        await self._apply(batches[first:])

    async def _apply(self, batches: Sequence[RecordBatch]) -> None:
        shard = self._shard
        admitted = self._admit(batches)
        await self._load(shard.absent([one for _, one in admitted if isinstance(one, Blocks)]))
        for offset, one in admitted:
            if isinstance(one, Blocks):
                shard.apply(one, offset)
            else:
                self.replayed += not shard.apply_norms(one, offset)
        shard.position = batches[-1].end
        self.applied_at = time.monotonic()
        self.fingerprint = RecordFingerprint.of(batches[-1].records[-1])

    def _admit(self, batches: Sequence[RecordBatch]) -> list[tuple[int, Blocks | NormUpdate]]:
        """Apply catalogue updates and content neighbours; return the other messages in order.

        Deltas that follow each other are decoded together. Any message may number items, so all
        messages are admitted in order. Deltas and norm updates number item eras, so a norm update
        waits for the deltas before it.

        Returns:
            The blocks of each new delta, and each norm update, with their offsets.
        """
        admitted: list[tuple[int, Blocks | NormUpdate]] = []
        records = ((batch.tp, record) for batch in batches for record in batch.records)
        for key, some in groupby(
            records, lambda one: one[1].key if one[1].key in _OTHER_KEYS else None
        ):
            if key is None:
                admitted += self._admit_deltas(list(some))
                continue
            for tp, record in some:
                if key == UPDATE_KEY:
                    update = decoded_message(decode_update, tp, record)
                    self.replayed += not self._shard.apply_update(update, record.offset)
                elif key == CONTENT_KEY:
                    content = decoded_message(decode_content_neighbours, tp, record)
                    is_new = self._shard.apply_content_neighbours(content, record.offset)
                    self.replayed += not is_new
                else:
                    norms = decoded_message(decode_norm_update, tp, record)
                    admitted.append((record.offset, norms))
        return admitted

    def _admit_deltas(self, records: Sequence[tuple[TP, KafkaRecord]]) -> list[tuple[int, Blocks]]:
        deltas = [
            decoded_message(partial(decode_deltas, record.key), tp, record)
            for tp, record in records
        ]
        blocks = iter(self._shard.admit_all([delta for some in deltas for delta in some]))
        new: list[tuple[int, Blocks]] = []
        for (_, record), some in zip(records, deltas, strict=True):
            own = [one for one in islice(blocks, len(some)) if one is not None]
            self.replayed += len(some) - len(own)
            if own:
                new.append((record.offset, joined(own)))
        return new
