"""Lists for users that lists of items changed under: which are made again, and from what."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace

import pytest

from streamapp.agents.scheduling import due_time, duty_cycle
from streamapp.agents.user_lists import sweep
from streamapp.agents.user_lists.publisher import UserListPublisher
from streamapp.store.lists import Lists
from tests.component.harness.user_partition import ITEMS, KEYS, UserPartition, history


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose lists are made, in order."""
    users: list[str] = []
    publish = UserListPublisher.publish

    async def noted(
        self: UserListPublisher, histories: Mapping[str, bytes], read_after: float
    ) -> None:
        users.extend(histories)
        await publish(self, histories, read_after)

    monkeypatch.setattr(UserListPublisher, "publish", noted)
    return users


async def trends(partition: UserPartition, item: str, seq: int) -> None:
    """Let one item be the trending list."""
    entry = f'{{"v":1,"kind":"trending","id":"","seq":{seq},"as_of":8.0,"items":['
    content = entry.encode() + f'{{"id":"{item}","score":1.0}}]}}'.encode()
    await partition.lists.replace("trending", [("", content)], seq)


async def test_a_sweep_makes_the_lists_again_whose_items_changed(
    partition: UserPartition, made: list[str]
) -> None:
    """All others are only asked for."""
    await partition.sees("u", "a")
    await partition.sees("v", "b")
    await partition.drain()
    made.clear()
    await partition.item_list("a", {"y": 0.5})
    await partition.drain()
    assert made == ["u"]
    assert [await partition.shown(user) for user in "uv"] == [["y"], ["y", "a"]]

    await partition.item_list("a", {})
    await partition.drain()
    assert made == ["u", "u"]
    assert await partition.shown("u") is None


async def test_a_sweep_makes_the_lists_again_that_have_room_for_what_trends(
    partition: UserPartition, made: list[str]
) -> None:
    """A full list shows nothing of it."""
    await partition.open(top_n=2)
    await partition.sees("full", "a")
    await partition.sees("short", "c")
    await partition.drain()
    made.clear()

    async def is_filled() -> bool:
        return await partition.shown("short") == ["a", "y"]

    await trends(partition, "y", seq=1)
    await partition.until(is_filled, "the list is filled")
    assert made == ["short"]
    assert await partition.shown("full") == ["x", "b"]


async def test_an_owner_makes_all_lists_once_of_what_stands(
    partition: UserPartition, made: list[str]
) -> None:
    """What the owner before made them of is not known."""
    await partition.sees("u", "a")
    await partition.sees("nobody", "x")
    await partition.drain()
    made.clear()
    await partition.open()
    await partition.item_list("b", {"y": 0.5})
    await partition.drain()
    assert sorted(made) == ["nobody", "u"]


async def test_while_interactions_wait_lists_are_made_of_what_was_read_a_moment_ago(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep makes them again, where that was another list; here it waits for ten intervals."""
    await partition.open(publish_interval=60.0, refresh_interval=0.5)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.item_list("a", {"y": 0.5})
    with monkeypatch.context() as patch:
        # No interval passes, however busy the machine is.
        patch.setattr(sweep, "time", SimpleNamespace(monotonic=partial(float, time.monotonic())))
        await partition.sees("v", "a")
        while await partition.shown("v") is None:
            await partition.owner.step(busy=True)
    assert await partition.shown("v") == ["x", "b"]

    await partition.drain()
    assert [await partition.shown(user) for user in "uv"] == [["y"], ["y"]]


async def test_many_lists_are_made_while_others_are_on_their_way(
    partition: UserPartition, made: list[str]
) -> None:
    """They are published after the topic has the others."""
    users = [f"u{number}" for number in range(1_100)]
    await partition.notes({user: history(("a",), ITEMS) for user in users})
    partition.broker.open.clear()
    await partition.owner.step(busy=False)
    assert made == users[:500]
    step = asyncio.create_task(partition.owner.step(busy=False))

    async def are_made() -> bool:
        return made == users[:1_000]

    await partition.until_then(are_made, "more are made")
    assert [await partition.shown(user) is None for user in ("u499", "u500")] == [False, True]
    assert (await partition.due_users(), partition.broker.taken) == (1_100, [])

    partition.broker.open.set()
    await step
    await partition.drain()
    assert all([await partition.shown(user) == ["x", "b"] for user in users])
    assert {key for key, _ in partition.broker.taken} == {f"user:{user}" for user in users}


async def test_while_interactions_wait_nothing_is_made_ahead(
    partition: UserPartition, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the time away from them."""
    # No time passes, however busy the machine is.
    stopped = SimpleNamespace(monotonic=lambda: 1_000.0)
    for module in (due_time, duty_cycle):
        monkeypatch.setattr(module, "time", stopped)
    await partition.open()
    await partition.notes({f"u{number}": history(("a",), ITEMS) for number in range(1_100)})
    partition.broker.open.clear()
    await partition.owner.step(busy=True)
    assert partition.owner.due_in_s(busy=True) > 0
    assert len(made) == 125
    partition.broker.open.set()


async def test_nothing_is_read_of_who_was_never_noted(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whom an owner before noted it is, and so a list that is the same is not sent again."""
    read: list[str] = []
    get_many = Lists.get_many

    async def noted(self: Lists, kind: str, names: Sequence[str]) -> list[bytes]:
        read.extend(names if kind == "user" else ())
        return await get_many(self, kind, names)

    monkeypatch.setattr(Lists, "get_many", noted)
    await partition.sees("u", "a")
    await partition.drain()
    assert (await partition.shown("u"), read) == (["x", "b"], [])

    await partition.open()
    await partition.sees("u", "a")
    await partition.drain()
    assert read == ["u"]
    assert [key for key, _ in partition.broker.taken] == ["user:u"]


async def test_a_list_of_a_state_before_goes_where_nothing_is_to_be_shown(
    partition: UserPartition,
) -> None:
    """After a rebuild nobody is noted, and the lists still stand."""
    old = b'{"v":1,"kind":"user","id":"u","seq":0,"as_of":1.0,"items":[{"id":"x","score":1.0}]}'
    await partition.lists.replace("user", [("u", old)], 0)
    await partition.sees("u", "y")
    await partition.drain()
    assert await partition.shown("u") is None
    assert partition.broker.taken == [("user:u", None)]


async def test_a_list_that_waited_for_its_turn_is_made_of_what_a_sweep_saw(
    partition: UserPartition,
) -> None:
    """A sweep leaves out who is due, and so does not make such a list again."""
    await partition.open(publish_interval=3_600, refresh_interval=0.05)
    users = [f"u{number}" for number in range(130)]
    await partition.notes({user: history(("a",), ITEMS) for user in users})
    await partition.drain()
    # The lists of the items are read now, and again no sooner than lists for users may change.
    await partition.sees("v", "a")
    await partition.drain()
    await partition.notes({user: history(("b", "a"), ITEMS) for user in [*users, "v"]})
    await partition.item_list("a", {"y": 0.5, "b": 0.25})
    published = int(await partition.redis.hget("s:{i0}:head", "published") or 0)

    async def swept() -> bool:
        return bool(await partition.redis.hget(KEYS.head, "seen") == f"0:{published}/0".encode())

    await partition.until(swept, "all others are compared")
    assert len(await partition.due()) == 131
    await partition.owner.finish()
    assert {tuple(await partition.shown(user) or ()) for user in users} == {("y",)}


async def test_a_sweep_leaves_out_a_user_who_is_due(partition: UserPartition) -> None:
    """The list of such a user changes at most once in an interval, also while lists are swept."""
    await partition.open(publish_interval=3_600, refresh_interval=0.05)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.sees("u", "b")
    await partition.item_list("b", {"x": 0.5})
    published = int(await partition.redis.hget("s:{i0}:head", "published") or 0)

    async def swept() -> bool:
        return bool(await partition.redis.hget(KEYS.head, "seen") == f"0:{published}/0".encode())

    await partition.until(swept, "all lists are compared")
    await partition.owner._publisher.join()
    assert (await partition.shown("u"), await partition.due()) == (["x", "b"], {"u"})
    await partition.owner.finish()
    assert (await partition.shown("u"), await partition.due()) == (["x"], set())
