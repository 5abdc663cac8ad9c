"""Applies the records of a shard's log to the shard in memory."""

import time
from collections.abc import Awaitable, Callable, Sequence

from streamapp.agents.runtime.internal_message import decoded_message
from streamapp.core.arrays.array_types import Ints
from streamapp.core.messages.catalogue_update import UPDATE_KEY, decode_update
from streamapp.core.messages.content_neighbours import CONTENT_KEY, decode_content_neighbours
from streamapp.core.messages.delta import Blocks, decode_delta
from streamapp.core.shard.shard import Shard
from streamapp.transport.records import RecordBatch, RecordFingerprint


class LogApplier:
    """Applies deltas, catalogue updates and content neighbours.

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
        """Apply record batches; rows that they need are read first."""
        shard = self._shard
        admitted = self._admit(batches)
        await self._load(shard.absent([blocks for _, blocks in admitted]))
        for offset, blocks in admitted:
            shard.apply(blocks, offset)
        shard.position = batches[-1].end
        self.applied_at = time.monotonic()
        self.fingerprint = RecordFingerprint.of(batches[-1].records[-1])

    def _admit(self, batches: Sequence[RecordBatch]) -> list[tuple[int, Blocks]]:
        """Apply messages that need no rows; return the blocks of new deltas and their offsets."""
        shard, admitted = self._shard, []
        for batch in batches:
            for record in batch.records:
                if record.key == UPDATE_KEY:
                    update = decoded_message(decode_update, batch.tp, record)
                    self.replayed += not shard.apply_update(update, record.offset)
                elif record.key == CONTENT_KEY:
                    matches = decoded_message(decode_content_neighbours, batch.tp, record)
                    self.replayed += not shard.apply_content_neighbours(matches, record.offset)
                elif (
                    blocks := shard.admit(decoded_message(decode_delta, batch.tp, record))
                ) is not None:
                    admitted.append((record.offset, blocks))
                else:
                    self.replayed += 1
        return admitted
