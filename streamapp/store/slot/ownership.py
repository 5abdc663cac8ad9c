"""The claim of one worker on a slot: only the worker that claimed it last publishes its lists."""

from typing import Any

from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.redis.scripts import run
from streamapp.store.slot.head import Head, stored_names
from streamapp.store.slot.keys import SlotKeys


class SlotOwnership:
    """Claims one slot, and writes the values that only its owner may write."""

    def __init__(self, redis: Redis, keys: SlotKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def claim(self, owner: str) -> None:
        """Make `owner` the owner of the slot; a previous owner then finds another name there."""
        await self._redis.hset(self._keys.head, "owner", owner)

    async def is_owner(self, owner: str) -> bool:
        """Say whether no other worker has claimed the slot since `owner` did."""
        found: Any = await self._redis.hget(self._keys.head, "owner")
        return found is not None and bool(found.decode() == owner)

    async def server_time(self) -> float:
        """Return the Unix time in seconds on the server that holds the slot."""
        seconds, microseconds = await run(self._redis, "server-time", [self._keys.head], [])
        return int(seconds) + int(microseconds) / 1e6

    async def next_timestamp(self, owner: str, after: int = 0) -> int:
        """Return the next time of the slot's clock: milliseconds, later than every time before.

        It is a hybrid logical clock (Kulkarni et al. 2014): it rises even if the state goes back in
        time. What the owner reads afterwards is at least as new.

        Args:
            owner: The worker that claimed the slot.
            after: A time that must have passed too: the `seq` of a list that an earlier state left
                behind, on a server whose clock was ahead.

        Raises:
            ClaimLostError: another worker has claimed the slot.
        """
        keys = [self._keys.head]
        timestamp = int(await run(self._redis, "next-timestamp", keys, [owner, after]))
        if timestamp < 0:
            raise ClaimLostError
        return timestamp

    async def note_redis(self, state_id: str, identity: str) -> None:
        """Note on which Redis the lists of the slot are whole, or known to be due.

        Args:
            state_id: The state of the slot; a slot of another state stays as it is.
            identity: Of the Redis, as `identity_of` returns it.
        """
        await run(self._redis, "note-redis", [self._keys.head], [state_id, identity])

    async def set_field(
        self, owner: str, kind: type[Head], attribute: str, value: str | int
    ) -> None:
        """Set a field of the head.

        Args:
            owner: The worker that claimed the slot.
            kind: The kind of head.
            attribute: The attribute; it is kept in one field.
            value: As it is stored.

        Raises:
            ClaimLostError: another worker has claimed the slot.
        """
        (name,) = stored_names(kind, (attribute,))
        if await run(self._redis, "set-field", [self._keys.head], [owner, name, value]) < 0:
            raise ClaimLostError
