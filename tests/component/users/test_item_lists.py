"""The item list cache of a worker: read once, and never older than asked for."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from streamapp.agents.runtime import item_list_cache as item_lists
from streamapp.agents.runtime.item_list_cache import ItemListCache, ReadLists
from streamapp.core.lists.list_cache import ListCache
from streamapp.errors import StateError


def content(seq: int, *items: str) -> bytes:
    """Return a list."""
    entries = ",".join(f'{{"id":"{item}","score":0.5}}' for item in items)
    return f'{{"seq":{seq},"as_of":{seq},"items":[{entries}]}}'.encode()


class Redis:
    """Lists by kind and name; returns the lists of the time of the call."""

    def __init__(self) -> None:
        self.lists: dict[tuple[str, str], bytes] = {}
        self.asked: list[list[str]] = []
        self.held: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.slow = False

    async def get_many(self, kind: str, names: Sequence[str]) -> list[bytes]:
        """Return lists; a slow Redis waits until the test lets it go on."""
        found = [self.lists.get((kind, name), b"") for name in names]
        if kind == "item":
            self.asked.append(list(names))
            if self.slow:
                told = asyncio.Event()
                self.held.put_nowait(told)
                await told.wait()
        return found

    def key(self, kind: str, name: str) -> str:
        """Return the name of a list."""
        return f"key of {kind} {name}"


@pytest.fixture
def redis() -> Redis:
    """A Redis in which the list of `a` shows `x`."""
    made = Redis()
    made.lists["item", "a"] = content(1, "x")
    return made


@pytest.fixture
def lists(redis: Redis) -> ItemListCache:
    """The lists in it."""
    given: Any = redis
    return ItemListCache(given)


async def read(
    lists: ItemListCache, cached: ListCache, *items: str, read_after: float = math.inf
) -> ReadLists:
    """Read the lists of these items."""
    return await lists.read(cached, np.unique(lists.registry.number(items)), read_after)


def shown(lists: ItemListCache, cached: ListCache, *items: str) -> list[list[str]]:
    """Return the items of the list of each item."""
    found = [cached.get(lists.registry.find(item)).items for item in items]
    return [[lists.registry.ids[number] for number in one.tolist()] for one in found]


def version(lists: ItemListCache, cached: ListCache, item: str) -> int:
    """Return the version of the list of an item."""
    return cached.get(lists.registry.find(item)).version


async def test_what_one_partition_has_read_another_does_not_read_again(
    redis: Redis, lists: ItemListCache
) -> None:
    """Unless it asks for a newer one."""
    began_at = time.monotonic()
    await read(lists, lists.cached, "a", "b")
    await read(lists, lists.cached, "a", read_after=began_at)
    assert redis.asked == [["a", "b"]]
    redis.lists["item", "a"] = content(2, "y")
    assert shown(lists, lists.cached, "a") == [["x"]]
    await read(lists, lists.cached, "a", read_after=time.monotonic())
    assert shown(lists, lists.cached, "a") == [["y"]]


async def test_a_list_that_is_another_has_a_higher_version_than_all_that_was_made_before(
    redis: Redis, lists: ItemListCache
) -> None:
    """A list with the same entries keeps its version."""
    before = await read(lists, lists.cached, "a", "b")
    versions = [version(lists, lists.cached, item) for item in "ab"]
    again = await read(lists, lists.cached, "a", "b")
    assert again.version == before.version
    assert [version(lists, lists.cached, item) for item in "ab"] == versions
    redis.lists["item", "a"] = content(2, "y")
    after = await read(lists, lists.cached, "a", "b")
    assert version(lists, lists.cached, "a") == after.version > before.version
    assert version(lists, lists.cached, "b") == versions[1] <= before.version


async def test_an_answer_that_comes_late_does_not_undo_one_to_a_later_question(
    redis: Redis, lists: ItemListCache
) -> None:
    """A list that was made meanwhile is compared with the later one, too."""
    redis.slow = True
    early = asyncio.create_task(read(lists, lists.cached, "a"))
    tell_early = await redis.held.get()
    redis.lists["item", "a"] = content(2, "y")
    late = asyncio.create_task(read(lists, lists.cached, "a"))
    tell_late = await redis.held.get()
    tell_late.set()
    await late
    assert shown(lists, lists.cached, "a") == [["y"]]
    tell_early.set()
    await early
    assert shown(lists, lists.cached, "a") == [["y"]]
    assert (await early).version == (await late).version


async def test_a_full_cache_makes_room_and_stays_with_its_users(
    lists: ItemListCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers stay and versions go on rising, so no list is taken for a previous one."""
    monkeypatch.setattr(item_lists, "_CACHED_ENTRIES", 0)
    full = lists.cached
    before = await read(lists, full, "z", "a")
    assert lists.cached is not full
    await read(lists, full, "z", "a")
    assert shown(lists, full, "z", "a") == [[], ["x"]]
    fresh = lists.cached
    await read(lists, fresh, "a")
    assert shown(lists, fresh, "a") == [["x"]]
    assert version(lists, fresh, "a") > before.version


async def test_what_is_no_list_is_named_with_its_key(redis: Redis, lists: ItemListCache) -> None:
    """Another program wrote there."""
    redis.lists["item", "b"] = b"gibberish"
    with pytest.raises(StateError, match="redis holds no list under key of item b: "):
        await read(lists, lists.cached, "a", "b")
