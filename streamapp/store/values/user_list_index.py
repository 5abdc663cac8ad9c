"""The user list index of a partition: its users who have a list or wait for one.

The index is in the slot of their histories, and only the owner of the slot writes it. A stage marks
users as pending before it stores the histories that change their lists. The users of one call form
a batch, one field of a hash. The field is removed when the last of them has a list in Redis and on
the topic. So the next owner knows which lists may be missing.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import orjson
from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.redis.hash_pages import read_hash
from streamapp.store.redis.scripts import Value, run
from streamapp.store.slot.keys import SlotKeys

_AT_ONCE = 500
"""Users in one call: in a small hash, Redis searches all fields for each of them."""

_BATCHES_AT_ONCE = 20


class StoredIndex(NamedTuple):
    """The index as the previous owner left it.

    Attributes:
        expires_at: By user, the Unix time in whole seconds at which the list expires.
        due: Pending users: their readers may not have the list yet.
    """

    expires_at: dict[str, int]
    due: Collection[str]


class UserListIndex:
    """The index in one slot.

    The task that marks users and the task that completes lists use it at the same time. Calls are
    written in the order in which they are made.
    """

    def __init__(self, redis: Redis, keys: SlotKeys) -> None:
        self._redis = redis
        self._keys = keys
        self._batch = 0
        self._batch_of: dict[str, int] = {}
        self._left: Counter[int] = Counter()
        self._writing = asyncio.Lock()

    async def load(self) -> dict[str, int]:
        """Return by user the Unix time in whole seconds at which the list expires."""
        fields = await read_hash(self._redis, self._keys.audience, _AT_ONCE)
        return {user.decode(): int(expires_at) for user, expires_at in fields.items()}

    async def take_over(self, owner: str) -> StoredIndex:
        """Return the index, and set the number of pending users in the head.

        The head may lack it: a rebuild may remove the head while the previous owner still marks
        users.

        Args:
            owner: The worker that claimed the slot.

        Raises:
            ClaimLostError: another worker has claimed the slot; nothing is written.
        """
        expires_at = await self.load()
        batches = await read_hash(self._redis, self._keys.due, _BATCHES_AT_ONCE)
        self._batch, self._batch_of, self._left = 0, {}, Counter()
        for number, users in sorted((int(number), users) for number, users in batches.items()):
            self._begin(number, [user for user in orjson.loads(users) if user in expires_at])
        due = len(self._batch_of)
        if await run(self._redis, "set-field", [self._keys.head], [owner, "due_users", due]) < 0:
            raise ClaimLostError
        return StoredIndex(expires_at, list(self._batch_of))

    async def size(self) -> int:
        """Return the number of users in the index."""
        with explained_errors(f"to read {self._keys.audience}"):
            return int(await self._redis.hlen(self._keys.audience))

    async def mark_pending(
        self, owner: str, users: Iterable[str], expires_at: int | None = None
    ) -> None:
        """Mark the lists of some users as pending.

        Args:
            owner: The worker that claimed the slot.
            users: The users, each once.
            expires_at: Unix time in whole seconds at which the lists expire; None keeps it.

        Raises:
            ClaimLostError: another worker has claimed the slot; nothing more is written.
        """
        left = iter(users)
        until = "" if expires_at is None else expires_at
        while some := list(islice(left, _AT_ONCE)):
            async with self._writing:
                self._begin(self._batch + 1, some)
                await self._write("mark-pending", owner, [until, self._batch, orjson.dumps(some)])

    async def complete(
        self, owner: str, users: Sequence[str], gone: Sequence[str] = (), seen: str = ""
    ) -> None:
        """Note that lists have reached their readers, or were removed.

        Args:
            owner: The worker that claimed the slot.
            users: Users who are no longer pending.
            gone: Those of them who have no list, and leave the index.
            seen: The new user lists version; "" keeps the stored one.

        Raises:
            ClaimLostError: another worker has claimed the slot; nothing is written.
        """
        async with self._writing:
            batches = (self._batch_of.pop(user) for user in users if user in self._batch_of)
            self._left.subtract(batches)
            await self._write("complete-lists", owner, [seen, orjson.dumps(gone)])

    def _begin(self, number: int, users: list[str]) -> None:
        """Move users to this batch, out of earlier batches."""
        self._left.subtract(self._batch_of[user] for user in users if user in self._batch_of)
        self._left[number] = len(users)
        self._batch_of.update(dict.fromkeys(users, number))
        self._batch = number

    async def _write(self, script: str, owner: str, arguments: Sequence[Value]) -> None:
        """Run a script, which also removes the batches that are complete."""
        keys = [self._keys.head, self._keys.audience, self._keys.due]
        over = [number for number, left in self._left.items() if not left][:_AT_ONCE]
        about: list[Value] = [
            owner,
            len(self._batch_of),
            orjson.dumps([str(number) for number in over]),
        ]
        if await run(self._redis, script, keys, [*about, *arguments]) < 0:
            raise ClaimLostError
        for number in over:
            del self._left[number]


async def present(redis: Redis, slots: Iterable[SlotKeys]) -> dict[str, int]:
    """Return the users of some slots who may have a list, and when each list expires."""
    audiences = [await UserListIndex(redis, keys).load() for keys in slots]
    return {user: expires_at for one in audiences for user, expires_at in one.items()}
