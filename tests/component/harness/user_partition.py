"""One partition of users without a partition task: owners come and go, a broker can be held."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from redis.asyncio import Redis

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.user_lists.user_lists import UserLists
from streamapp.config.settings import Settings
from streamapp.core.histories.older_entries import ENTRY
from streamapp.core.ids.registry import Registry
from streamapp.failpoints import Failpoints
from streamapp.pipelines import main_pipeline
from streamapp.store.lists import Lists, lists_of
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex

ITEMS = ["a", "b", "c", "x", "y"]
NEIGHBOURS = {"a": {"x": 0.5, "b": 0.25}, "b": {"y": 0.5, "a": 0.25}, "c": {"a": 0.25}}
FAR = 9_000_000_000_000
"""A time in milliseconds that no clock has reached."""

WITHIN_S = 20.0
KEYS = SlotKeys("s:", "u0")


class Broker:
    """In place of the producer: takes lists by key, while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.taken: list[tuple[str, bytes | None]] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 3

    async def deliver(self, messages: dict[tuple[str, int], list[Any]]) -> None:
        """Wait until it is open, then take messages."""
        await self.open.wait()
        self.taken += [(m.key.decode(), m.value) for some in messages.values() for m in some]

    def last(self, user: str) -> list[str] | None:
        """Return the items of the last list of a user; None where it is gone, or never came."""
        value = dict(self.taken).get(f"user:{user}")
        return None if value is None else listed(value)


class UserPartition:
    """One partition of users, with the lists of three items; owners of it come and go.

    Attributes:
        redis: A client.
        broker: Takes the lists of every owner.
        lists: The lists in Redis.
        owner: The last owner.
        position: Of the slot.
    """

    owner: UserLists
    context: StageContext

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.broker = Broker()
        self.lists: Lists = lists_of(redis, "l:", "s:", cluster=False)
        self.audience = UserListIndex(redis, KEYS)
        self.slot = Slot(redis, KEYS, "g")
        self.position = 0

    async def begin(self) -> None:
        """Make the slot and that of the only shard, and publish the item lists."""
        await self.slot.create(0)
        await Slot(self.redis, SlotKeys("s:", "i0"), "g").create(0)
        for item, neighbours in NEIGHBOURS.items():
            await self.item_list(item, neighbours)

    async def item_list(self, item: str, neighbours: dict[str, float]) -> None:
        """Replace the list of an item, and say in the head of its shard that one was published."""
        items = [{"id": name, "score": score, "support": 1} for name, score in neighbours.items()]
        published = await self.redis.hincrby("s:{i0}:head", "published", 1)
        value = {"v": 1, "kind": "item", "id": item, "seq": published, "as_of": 7.0, "items": items}
        text = json.dumps(value, separators=(",", ":")).encode() if items else b""
        await self.lists.replace("item", [(item, text)], published)

    async def open(
        self, *, lists_suspect: bool = False, items: list[str] | None = None, **settings: Any
    ) -> None:
        """Let another owner, with these settings, open the partition."""
        chosen = {"publish_interval": 0.001, "refresh_interval": 0.05, **settings}
        made = Settings(_env_file=None, state_prefix="s:", list_prefix="l:", **chosen)
        publisher: Any = self.broker
        self.context = StageContext(
            made,
            main_pipeline(made),
            self.redis,
            self.lists,
            ItemListCache(self.lists),
            publisher,
            publisher,
            Failpoints(),
        )
        await self._open(lists_suspect=lists_suspect, items=items)

    async def open_again(
        self, *, lists_suspect: bool = False, items: list[str] | None = None
    ) -> None:
        """Let the same worker open the partition once more, as its partition task does."""
        self.owner.close()
        await self.owner.drain()
        await self._open(lists_suspect=lists_suspect, items=items)

    async def _open(self, *, lists_suspect: bool, items: list[str] | None) -> None:
        slot, registry = Slot(self.redis, KEYS, "g"), Registry(items or ITEMS)
        self.owner = await UserLists.open(
            self.context, slot, self.stored, registry, 1, lists_suspect=lists_suspect
        )

    async def sees(self, user: str, *items: str, known: list[str] | None = None) -> None:
        """Let a user have seen these items, the newest last, and store that."""
        await self.notes({user: history(items, known or ITEMS)})

    async def notes(self, histories: dict[str, bytes]) -> None:
        """Make lists pending, and store the histories behind them."""
        await self.owner.prepare(histories)
        await self.slot.blobs.put(self.position + 1, histories.items())
        await self.slot.commit(self.position, Head(self.position + 1))
        self.position += 1
        self.owner.activate()

    async def stored(self, users: Sequence[str]) -> dict[str, bytes]:
        """Return the stored histories up to the position."""
        found = zip(users, await self.slot.blobs.read(users), strict=True)
        blobs = {user: blob or (0, b"") for user, blob in found}
        return {user: blob for user, (at, blob) in blobs.items() if at <= self.position}

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Let the owner work until a condition holds."""

        async def worked() -> bool:
            if await condition():
                return True
            await self.owner.step(busy=False)
            return False

        await self.until_then(worked, what)

    async def until_then(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds, without work of the owner."""
        deadline = time.monotonic() + WITHIN_S
        while not await condition():
            assert time.monotonic() < deadline, what
            await asyncio.sleep(0.002)

    async def drained(self) -> bool:
        """Return whether no list is pending, and all were compared with the item lists."""
        due: Any = await self.redis.hget(KEYS.head, "due_users")
        seen: Any = await self.redis.hget(KEYS.head, "seen")
        published: Any = await self.redis.hget("s:{i0}:head", "published")
        # The only shard is at position 0, and nothing is trending.
        return not int(due or 0) and seen == b"0:" + published + b"/0"

    async def drain(self) -> None:
        """Let the owner work until everything is done."""
        await self.until(self.drained, "drained")

    async def shown(self, user: str) -> list[str] | None:
        """Return the items of the list in Redis, or None."""
        value = await self.lists.get("user", user)
        return None if value is None else listed(value)

    async def stored_list(self, user: str) -> bytes:
        """Return the list in Redis."""
        value = await self.lists.get("user", user)
        assert value is not None
        return value

    async def expires_at(self, user: str) -> int | None:
        """Return when the list of a user is removed, from the index."""
        return (await self.audience.load()).get(user)

    async def due(self) -> set[str]:
        """Return the users of all batches that are not complete."""
        batches: Any = await self.redis.hvals(KEYS.due)
        return {user for users in batches for user in json.loads(users)}

    async def due_users(self) -> int:
        """Return the number of pending users in the head."""
        return int(await self.redis.hget(KEYS.head, "due_users") or 0)


def history(items: tuple[str, ...], known: list[str]) -> bytes:
    """Return a history, packed, the newest last."""
    entries = [(known.index(item), 1.0, float(ts)) for ts, item in enumerate(items)]
    return np.array(entries, ENTRY).tobytes()


def listed(value: bytes) -> list[str]:
    """Return the items of a list."""
    return [entry["id"] for entry in json.loads(value)["items"]]


def seq(value: bytes) -> int:
    """Return the `seq` of a list."""
    return int(json.loads(value)["seq"])
