"""The state of one partition of one log, and the protocol that moves its position (ADR-0002).

A slot holds a position, the applied offsets of each source, and blobs: histories, products, or rows
with the columns of their shard. A blob says up to which position of the log it is complete. A stage
writes blobs first, in as many calls as it needs, each only over an older one. Then one script moves
the position, if it is still where this process left it. A process that dies in between leaves blobs
that are ahead of the position. The next owner reads the log again, and skips for each blob what the
blob already includes.

The content of a blob at a position depends on the log alone. So two processes that both believe to
own the slot write the same bytes, and the slower one only finds that the position has moved.
"""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any, TypeVar

from redis.asyncio import Redis

from streamapp.errors import PositionMovedError
from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.redis.scripts import Value, run
from streamapp.store.slot.blobs import SlotBlobs
from streamapp.store.slot.columns import SlotColumns
from streamapp.store.slot.head import Head
from streamapp.store.slot.item_ids import SlotItemIds
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.ownership import SlotOwnership

H = TypeVar("H", bound=Head)


class Slot:
    """One slot: its position, and access to what it holds.

    Attributes:
        redis: The client.
        keys: Its keys.
        state_id: Of the state that this process works on; writes to another state are refused.
        blobs: Its histories, products or rows.
        item_ids: Its item ids, by item number.
        columns: Its columns of packed records, by item number.
        ownership: The claim of a worker on the slot, and the clock of that worker.
        position: The stored position as this process found or left it; None while it moves the
            position, before it has read the head, and where it does not know how a move ended.
    """

    def __init__(self, redis: Redis, keys: SlotKeys, state_id: str = "") -> None:
        """Make access to a slot, which need not exist.

        Args:
            redis: A client that answers in bytes.
            keys: The keys of the slot.
            state_id: The state of this process; a process that only reads needs none.
        """
        self.keys = keys
        self.state_id = state_id
        self.blobs = SlotBlobs(redis, self)
        self.item_ids = SlotItemIds(redis, self)
        self.columns = SlotColumns(redis, self)
        self.ownership = SlotOwnership(redis, keys)
        self.redis = redis
        self.position: int | None = None
        self._write_token = b""

    async def create(self, position: int, results: str = "") -> None:
        """Make the slot at `position` if it does not exist.

        Args:
            position: First offset of the slot's log that is to be applied.
            results: The settings that change counts.
        """
        # A head without a position does not exist, so the position comes last.
        first: dict[str, Value] = {
            "results": results,
            "generation": self.state_id,
            "begun": position,
            "position": position,
        }
        for name, value in first.items():
            await self.redis.hsetnx(self.keys.head, name, value)

    async def head(self, kind: type[H]) -> H | None:
        """Return the head of a slot of this kind, or None if the slot does not exist."""
        with explained_errors(f"to read {self.keys.head}"):
            stored: Any = await self.redis.hgetall(self.keys.head)
        head = kind.decode({name.decode(): value for name, value in stored.items()})
        if head is not None:
            self._write_token, self.position = head.write_token, head.position
        return head

    async def check(self, expected: int) -> None:
        """Compare the stored position with the one that this process left or found.

        Raises:
            PositionMovedError: they differ.
        """
        # A read of no blobs compares the position and does nothing else.
        await self.blobs.read_at(expected, [])

    async def count_rollback(self, offsets: int) -> None:
        """Count that Redis went back by so many offsets; a repeated call counts twice."""
        await self.redis.hincrby(self.keys.head, "rolled_back", 1)
        await self.redis.hincrby(self.keys.head, "rolled_back_offsets", offsets)

    async def write(
        self, script: str, keys: Sequence[str], position: int, values: Sequence[Value]
    ) -> int:
        """Run a script that writes ahead of the position.

        Every write names the write before it, and the head keeps the name of the last one. So no
        write follows one that is lost: a replica that takes its primary's place may be at the right
        position, and yet lack what was written for the next one.

        Args:
            script: The script, such as `put-blobs`.
            keys: What it writes to, beside the head.
            position: The written values include every record of the slot's log below this offset.
            values: Its further arguments.

        Returns:
            How many values it left out because newer ones are stored.

        Raises:
            PositionMovedError: the slot is gone or belongs to another state, or its last write is
                not the one that this process did or found; nothing is written.
        """
        before, self._write_token = self._write_token, token_hex(8).encode()
        arguments: list[Value] = [self.state_id, position, before, self._write_token, *values]
        stale = int(await run(self.redis, script, [self.keys.head, *keys], arguments))
        if stale < 0:
            raise PositionMovedError(position, stale)
        return stale

    async def commit(self, expected: int, head: Head, items: int = 0) -> None:
        """Move the position from `expected` to that of `head`, with the fields of `head`.

        The script checks that the slot belongs to this state, that its position is `expected`, that
        its last write is the one of this process, and that it has as many item ids as `items` says.

        Args:
            expected: The position that this process left or found.
            head: The new position, all applied offsets, and the other fields that move with them.
            items: How many items the slot has at the new position.

        Raises:
            PositionMovedError: the position is neither `expected` nor the new one, or the last
                write is not the one that this process did or found; nothing is written.
        """
        fields: list[Value] = []
        for name, value in head.encode().items():
            fields += [name, value]
        arguments: list[Value] = [self.state_id, expected, head.position, self._write_token]
        arguments += [len(fields) // 2, *fields, items]
        keys = [self.keys.head, self.keys.items]
        self.position = None
        found = int(await run(self.redis, "commit", keys, arguments))
        if found not in {expected, head.position}:
            raise PositionMovedError(expected, found)
        self.position = head.position
