"""Moves the histories of one pipeline to the slots of another number of partitions.

Every step may be done again: a run that was interrupted is repeated from its first step.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from redis.asyncio import Redis

from streamapp.cli.from_histories.stored_histories import (
    AT_ONCE,
    histories_slot,
    remove_slots,
    unlink,
    user_pages,
)
from streamapp.core.histories.marks import newest_ts, packed, unpacked
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import registry_of
from streamapp.core.messages.interaction_batch import partition_of
from streamapp.failpoints import Failpoints
from streamapp.pipelines import Pipeline
from streamapp.store.redis.hash_pages import read_hash
from streamapp.store.slot.blob import Blob
from streamapp.store.slot.keys import SlotKeys, histories_tag


class HistoryMove:
    """The move of one pipeline.

    Args:
        redis: A client that answers in bytes.
        pipeline: The pipeline.
        before: Partitions of interactions in the old state.
        positions: The first offset of each new partition that is not applied.
        failpoints: Where this process dies, in tests.
    """

    def __init__(
        self,
        redis: Redis,
        pipeline: Pipeline,
        before: int,
        positions: Sequence[int],
        failpoints: Failpoints,
    ) -> None:
        self._redis = redis
        self._pipeline = pipeline
        self._before = before
        self._positions = positions
        count = max(before, len(positions))
        self._slots = [histories_slot(redis, pipeline.state_prefix, n) for n in range(count)]
        self._failpoints = failpoints
        self._registries: list[Registry] = []

    async def run(self, heads: Mapping[int, Mapping[str, bytes]]) -> None:
        """Move all histories, and make the heads of their slots.

        Args:
            heads: By new partition, the fields that change.
        """
        kind = self._pipeline.kind
        self._registries = [await slot.item_ids.registry(registry_of(kind)) for slot in self._slots]
        await self._copy()
        if self._pipeline.is_main:
            await self._copy_index()
        self._failpoints.reach("rebuild.histories-copied")
        await self._finish(heads)
        await remove_slots(self._redis, self._pipeline.state_prefix, "u", len(self._positions))

    def _target(self, user: str) -> int:
        return partition_of(user, len(self._positions))

    async def _copy(self) -> None:
        """Write each history to its slot, where it is not there, with a position of that slot."""
        async for number, users in user_pages(self._redis, self._pipeline.state_prefix):
            by_target: dict[int, list[tuple[str, bytes]]] = {}
            for user, blob in zip(users, await self._slots[number].blobs.read(users), strict=True):
                target = self._target(user)
                is_right = target == number and blob and blob.position <= self._positions[target]
                if blob and blob.content and not is_right:
                    by_target.setdefault(target, []).append((user, blob.content))
            for target, some in by_target.items():
                await self._put(number, target, some)

    async def _put(self, number: int, target: int, some: Sequence[tuple[str, bytes]]) -> None:
        """Write histories of one slot to another one, in its item numbers.

        A history that an interrupted run has written stays, because its first slot may be gone in
        part.
        """
        if target != number:
            there = await self._slots[target].blobs.read([user for user, _ in some])
            some = [
                one for one, blob in zip(some, there, strict=True) if not (blob and blob.content)
            ]
        histories = [history for _, history in some]
        if target != number and some:
            histories = await self._renumbered(number, target, histories)
        if not some:
            return
        keys, position = self._slots[target].keys, self._positions[target]
        stored: Any = {
            keys.blob(user): Blob(position, history).encode()
            for (user, _), history in zip(some, histories, strict=True)
        }
        await self._redis.mset(stored)

    async def _renumbered(
        self, number: int, target: int, histories: Sequence[bytes]
    ) -> list[bytes]:
        theirs, ours = self._registries[number], self._registries[target]
        rule, known = self._pipeline.history_rule, len(ours)
        starts, item, kind, value = unpacked(histories, rule, theirs)
        used, index = np.unique(item, return_inverse=True)
        numbers = ours.number([theirs.ids[one] for one in used.tolist()])
        # An id is stored before a history that refers to it.
        for start in range(known, len(ours), AT_ONCE):
            some = ours.ids[start : start + AT_ONCE]
            await self._redis.rpush(self._slots[target].keys.items, *some)
        return packed(starts, numbers[index], kind, value)

    async def _copy_index(self) -> None:
        """Write each user of the user list index to the slot of the history."""
        for number in range(self._before):
            keys = self._slots[number].keys
            stored = await read_hash(self._redis, keys.audience, 2 * AT_ONCE)
            moved: dict[int, dict[str, bytes]] = {}
            for name, at in stored.items():
                if (target := self._target(name.decode())) != number:
                    moved.setdefault(target, {})[name.decode()] = at
            if not moved:
                continue
            batches = await read_hash(self._redis, keys.due, AT_ONCE)
            due = {user for users in batches.values() for user in orjson.loads(users)}
            for target, users in moved.items():
                await self._index(self._slots[target].keys, users, due)

    async def _index(self, keys: SlotKeys, users: Mapping[str, bytes], due: set[str]) -> None:
        names = list(users)
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            stored: Any = {user: users[user] for user in some}
            await self._redis.hset(keys.audience, mapping=stored)
            if pending := [user for user in some if user in due]:
                taken: Any = await self._redis.hkeys(keys.due)
                batch = max(map(int, taken), default=0) + 1
                await self._redis.hset(keys.due, str(batch), orjson.dumps(pending).decode())

    async def _finish(self, heads: Mapping[int, Mapping[str, bytes]]) -> None:
        """Remove the histories that were copied, and write the heads."""
        count = len(self._positions)
        blobs, sizes = [0] * count, [0] * count
        newest = [-np.inf] * count
        async for number, users in user_pages(self._redis, self._pipeline.state_prefix):
            keys = self._slots[number].keys
            moved = [keys.blob(user) for user in users if self._target(user) != number]
            kept = [user for user in users if self._target(user) == number]
            for blob in await self._slots[number].blobs.read(kept):
                if blob and blob.content:
                    blobs[number] += 1
                    sizes[number] += len(blob.encode())
                    ts = newest_ts(blob.content, self._pipeline.decay)
                    newest[number] = max(newest[number], ts)
            if number < count:
                await unlink(self._redis, moved)
        for number in range(min(self._before, count)):
            await self._forget_moved(self._slots[number].keys, number)
        for number, fields in heads.items():
            keys = SlotKeys(self._pipeline.state_prefix, histories_tag(number))
            ts = max(newest[number], float(fields.get("newest_ts", b"-inf")))
            stored: Any = {
                **fields,
                "blobs": str(blobs[number]),
                "blob_bytes": str(sizes[number]),
                "newest_ts": repr(ts),
            }
            await self._redis.hset(keys.head, mapping=stored)

    async def _forget_moved(self, keys: SlotKeys, number: int) -> None:
        """Remove the users of the user list index that have moved."""
        if not self._pipeline.is_main:
            return
        stored = await read_hash(self._redis, keys.audience, 2 * AT_ONCE)
        moved = [name for name in stored if self._target(name.decode()) != number]
        for start in range(0, len(moved), AT_ONCE):
            await self._redis.hdel(keys.audience, *moved[start : start + AT_ONCE])
