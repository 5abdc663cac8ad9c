"""Store. The audience of a partition: its users who have a list or are to get one.

It lies in the slot of their histories and is written by whoever has claimed the slot. A user whose
list is due is noted before the history that asks for it is stored, and until the list is in Redis
and on the topic; so whoever takes over knows what is missing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.keys import SlotKeys
from streamapp.store.scripts import Value, readable, run

_AT_ONCE = 250
"""Users in one call: Redis looks through all of a small audience for each of them."""


class Note(NamedTuple):
    """What is noted of a user.

    Attributes:
        expires_at: Unix time in whole seconds at which the list is removed.
        due: Whether the list is still to be brought to its readers.
    """

    expires_at: int
    due: bool


class Audience:
    """The audience in one slot; `redis` answers in bytes."""

    def __init__(self, redis: Redis, keys: SlotKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def load(self) -> dict[str, Note]:
        """Return what is noted of every user."""
        notes: dict[str, Note] = {}
        cursor = 0
        while True:
            with readable(f"to read {self._keys.audience}"):
                reply: Any = await self._redis.hscan(self._keys.audience, cursor, count=_AT_ONCE)
            cursor, some = reply
            for user, note in some.items():
                notes[user.decode()] = Note(abs(int(note)), note.startswith(b"-"))
            if not cursor:
                return notes

    async def take_over(self, owner: str) -> dict[str, Note]:
        """Return what is noted of every user, and count anew in the head whose list is due.

        A rebuild may remove the head behind a worker of before, who had noted users by then.

        Args:
            owner: Who has claimed the slot.

        Raises:
            ClaimLostError: somebody else has claimed the slot; nothing is written.
        """
        notes = await self.load()
        due = str(sum(note.due for note in notes.values()))
        if await run(self._redis, "note", [self._keys.head], [owner, "due_users", due]) < 0:
            raise ClaimLostError
        return notes

    async def size(self) -> int:
        """Return how many users it has."""
        with readable(f"to read {self._keys.audience}"):
            return int(await self._redis.hlen(self._keys.audience))

    async def note(self, owner: str, notes: Mapping[str, Note | None], seen: str = "") -> None:
        """Note something of some users; None removes one.

        Args:
            owner: Who has claimed the slot.
            notes: By user.
            seen: Of which lists of items all lists here were made, if that is known now.

        Raises:
            ClaimLostError: somebody else has claimed the slot; nothing more is written.
        """
        texts: list[Value] = []
        for user, note in notes.items():
            texts += [user, "" if note is None else f"{'-' * note.due}{note.expires_at}"]
        for start in range(0, max(len(texts), 1), 2 * _AT_ONCE):
            last = start + 2 * _AT_ONCE >= len(texts)
            arguments: list[Value] = [owner, seen if last else ""]
            arguments += texts[start : start + 2 * _AT_ONCE]
            keys = [self._keys.head, self._keys.audience]
            if await run(self._redis, "note-audience", keys, arguments) < 0:
                raise ClaimLostError


async def present(redis: Redis, slots: Iterable[SlotKeys]) -> dict[str, int]:
    """Return the users of some slots who may have a list, and when each is removed."""
    audiences = [await Audience(redis, keys).load() for keys in slots]
    return {user: note.expires_at for one in audiences for user, note in one.items()}
