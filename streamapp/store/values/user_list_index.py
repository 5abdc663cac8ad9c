"""The audience of a partition: its users who have a list or are to get one.

It lies in the slot of their histories and is written by whoever has claimed the slot. Users whose
lists are due are noted before the histories that ask for it are stored, in rounds: all of one call
by one field, which goes when the last of them has a list in Redis and on the topic. So whoever
takes over knows what may be missing, and no user who is served is noted again.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import orjson
from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.redis.scan import read_hash
from streamapp.store.redis.scripts import Value, readable, run
from streamapp.store.slot.keys import SlotKeys

_AT_ONCE = 500
"""Users in one call: Redis looks through all of a small audience for each of them."""

_ROUNDS_AT_ONCE = 20


class Noted(NamedTuple):
    """What was noted by an owner of before.

    Attributes:
        expires_at: By user, the Unix time in whole seconds at which the list is removed.
        due: Users whose lists may be still to be brought to their readers.
    """

    expires_at: dict[str, int]
    due: Collection[str]


class UserListIndex:
    """The audience in one slot; `redis` answers in bytes.

    Whoever makes lists and whoever asks for more write to it side by side: what is called first is
    written first.
    """

    def __init__(self, redis: Redis, keys: SlotKeys) -> None:
        self._redis = redis
        self._keys = keys
        self._round = 0
        self._round_of: dict[str, int] = {}
        self._left: Counter[int] = Counter()
        self._writing = asyncio.Lock()

    async def load(self) -> dict[str, int]:
        """Return by user the Unix time in whole seconds at which the list is removed."""
        fields = await read_hash(self._redis, self._keys.audience, _AT_ONCE)
        return {user.decode(): int(expires_at) for user, expires_at in fields.items()}

    async def take_over(self, owner: str) -> Noted:
        """Return what is noted, and count anew in the head whose list is due.

        A rebuild may remove the head behind a worker of before, who had noted users by then.

        Args:
            owner: Who has claimed the slot.

        Raises:
            ClaimLostError: somebody else has claimed the slot; nothing is written.
        """
        expires_at = await self.load()
        rounds = await read_hash(self._redis, self._keys.due, _ROUNDS_AT_ONCE)
        self._round, self._round_of, self._left = 0, {}, Counter()
        for number, users in sorted((int(number), users) for number, users in rounds.items()):
            self._begin(number, [user for user in orjson.loads(users) if user in expires_at])
        due = len(self._round_of)
        if await run(self._redis, "set-field", [self._keys.head], [owner, "due_users", due]) < 0:
            raise ClaimLostError
        return Noted(expires_at, list(self._round_of))

    async def size(self) -> int:
        """Return how many users it has."""
        with readable(f"to read {self._keys.audience}"):
            return int(await self._redis.hlen(self._keys.audience))

    async def mark_pending(
        self, owner: str, users: Iterable[str], expires_at: int | None = None
    ) -> None:
        """Note that the lists of some users are due.

        Args:
            owner: Who has claimed the slot.
            users: Each once.
            expires_at: Unix time in whole seconds at which the lists are removed; None leaves it.

        Raises:
            ClaimLostError: somebody else has claimed the slot; nothing more is written.
        """
        left = iter(users)
        until = "" if expires_at is None else expires_at
        while some := list(islice(left, _AT_ONCE)):
            async with self._writing:
                self._begin(self._round + 1, some)
                await self._write("mark-pending", owner, [until, self._round, orjson.dumps(some)])

    async def complete(
        self, owner: str, users: Sequence[str], gone: Sequence[str] = (), seen: str = ""
    ) -> None:
        """Note that lists have reached their readers, or are gone, and all that is over by that.

        Args:
            owner: Who has claimed the slot.
            users: Whose lists are due no more.
            gone: Who of them has none, and leaves the audience.
            seen: Of which lists of items all lists here were made, if that is known now.

        Raises:
            ClaimLostError: somebody else has claimed the slot; nothing is written.
        """
        async with self._writing:
            rounds = (self._round_of.pop(user) for user in users if user in self._round_of)
            self._left.subtract(rounds)
            await self._write("complete-lists", owner, [seen, orjson.dumps(gone)])

    def _begin(self, number: int, users: list[str]) -> None:
        """Have users be due by this round, and by none of before."""
        self._left.subtract(self._round_of[user] for user in users if user in self._round_of)
        self._left[number] = len(users)
        self._round_of.update(dict.fromkeys(users, number))
        self._round = number

    async def _write(self, script: str, owner: str, arguments: Sequence[Value]) -> None:
        """Run a script, which also takes away the rounds that are over."""
        keys = [self._keys.head, self._keys.audience, self._keys.due]
        over = [number for number, left in self._left.items() if not left][:_AT_ONCE]
        about: list[Value] = [
            owner,
            len(self._round_of),
            orjson.dumps([str(number) for number in over]),
        ]
        if await run(self._redis, script, keys, [*about, *arguments]) < 0:
            raise ClaimLostError
        for number in over:
            del self._left[number]


async def present(redis: Redis, slots: Iterable[SlotKeys]) -> dict[str, int]:
    """Return the users of some slots who may have a list, and when each is removed."""
    audiences = [await UserListIndex(redis, keys).load() for keys in slots]
    return {user: expires_at for one in audiences for user, expires_at in one.items()}
