"""Store. The keys that frontends read: replaced in one step, never by an older list."""

from collections.abc import Sequence

from redis.asyncio import Redis

from streamapp.store.keys import GONE_LIFETIME_S, gone_key
from streamapp.store.scripts import run

_AT_ONCE = 100


class Lists:
    """The lists under one prefix."""

    def __init__(self, redis: Redis, list_prefix: str, state_prefix: str, at_once: int) -> None:
        self._redis = redis
        self._list_prefix = list_prefix
        self._state_prefix = state_prefix
        self._at_once = at_once

    def key(self, kind: str, name: str) -> str:
        """Return the key of the list of `kind` for `name`."""
        return f"{self._list_prefix}{kind}:{name}"

    async def replace(
        self, kind: str, lists: Sequence[tuple[str, bytes]], seq: int
    ) -> list[bytes | None]:
        """Replace lists by those of position `seq`; b"" deletes.

        Returns:
            For each list the bytes that now stand for `seq`, or None where a later list is there.
        """
        standing: list[bytes | None] = []
        for start in range(0, len(lists), self._at_once):
            some = lists[start : start + self._at_once]
            keys: list[str] = []
            for name, _ in some:
                key = self.key(kind, name)
                keys += [key, gone_key(self._state_prefix, key)]
            replies = await run(
                self._redis,
                "replace-lists",
                keys,
                [seq, GONE_LIFETIME_S, *(content for _, content in some)],
            )
            for (_, content), reply in zip(some, replies, strict=True):
                standing.append(reply if isinstance(reply, bytes) else content if reply else None)
        return standing

    async def standing(self, kind: str, names: Sequence[str]) -> list[bytes]:
        """Return the lists that stand now; b"" where there is none."""
        found: list[bytes] = []
        for start in range(0, len(names), self._at_once):
            keys = [self.key(kind, name) for name in names[start : start + self._at_once]]
            values: list[bytes | None] = await self._redis.mget(keys)  # type: ignore[assignment]
            found += [value or b"" for value in values]
        return found

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return the list of `kind` for `name`, or None."""
        found: bytes | None = await self._redis.get(self.key(kind, name))  # type: ignore[assignment]
        return found


def lists_of(redis: Redis, list_prefix: str, state_prefix: str, cluster: bool) -> Lists:
    """Return the lists; on a cluster every list is a call of its own, in its own slot."""
    return Lists(redis, list_prefix, state_prefix, 1 if cluster else _AT_ONCE)
