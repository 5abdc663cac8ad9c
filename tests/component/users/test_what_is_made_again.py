"""Lists for users that lists of items changed under: which are made again, and from what."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from streamapp.agents.user_lists.publisher import UserListPublisher
from streamapp.store.lists import Lists
from tests.component.harness.user_partition import ITEMS, KEYS, Desk, history


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


async def trends(desk: Desk, item: str, seq: int) -> None:
    """Let an item be what is trending."""
    entry = f'{{"v":1,"kind":"trending","id":"","seq":{seq},"as_of":8.0,"items":['
    content = entry.encode() + f'{{"id":"{item}","score":1.0}}]}}'.encode()
    await desk.lists.replace("trending", [("", content)], seq)


async def test_a_sweep_makes_the_lists_again_whose_items_changed(
    desk: Desk, made: list[str]
) -> None:
    """All others are only asked for."""
    await desk.sees("u", "a")
    await desk.sees("v", "b")
    await desk.drain()
    made.clear()
    await desk.item_list("a", {"y": 0.5})
    await desk.drain()
    assert made == ["u"]
    assert [await desk.shown(user) for user in "uv"] == [["y"], ["y", "a"]]

    await desk.item_list("a", {})
    await desk.drain()
    assert made == ["u", "u"]
    assert await desk.shown("u") is None


async def test_a_sweep_makes_the_lists_again_that_have_room_for_what_trends(
    desk: Desk, made: list[str]
) -> None:
    """A full list shows nothing of it."""
    await desk.open(top_n=2)
    await desk.sees("full", "a")
    await desk.sees("short", "c")
    await desk.drain()
    made.clear()

    async def is_filled() -> bool:
        return await desk.shown("short") == ["a", "y"]

    await trends(desk, "y", seq=1)
    await desk.until(is_filled, "the list is filled")
    assert made == ["short"]
    assert await desk.shown("full") == ["x", "b"]


async def test_an_owner_makes_all_lists_once_of_what_stands(desk: Desk, made: list[str]) -> None:
    """What the owner before made them of is not known."""
    await desk.sees("u", "a")
    await desk.sees("nobody", "x")
    await desk.drain()
    made.clear()
    await desk.open()
    await desk.item_list("b", {"y": 0.5})
    await desk.drain()
    assert sorted(made) == ["nobody", "u"]


async def test_while_interactions_wait_lists_are_made_of_what_was_read_a_moment_ago(
    desk: Desk,
) -> None:
    """A sweep makes them again, where that was another list; here it waits for ten intervals."""
    await desk.open(publish_interval=60.0, refresh_interval=0.5)
    await desk.sees("u", "a")
    await desk.drain()
    await desk.item_list("a", {"y": 0.5})
    await desk.sees("v", "a")
    while await desk.shown("v") is None:
        await desk.owner.step(busy=True)
    assert await desk.shown("v") == ["x", "b"]

    await desk.drain()
    assert [await desk.shown(user) for user in "uv"] == [["y"], ["y"]]


async def test_many_lists_are_made_while_others_are_on_their_way(
    desk: Desk, made: list[str]
) -> None:
    """They are brought to nobody before the topic has the others."""
    users = [f"u{number}" for number in range(1_100)]
    await desk.notes({user: history(("a",), ITEMS) for user in users})
    desk.broker.open.clear()
    await desk.owner.step(busy=False)
    assert made == users[:500]
    step = asyncio.create_task(desk.owner.step(busy=False))

    async def are_made() -> bool:
        return made == users[:1_000]

    await desk.until_then(are_made, "more are made")
    assert [await desk.shown(user) is None for user in ("u499", "u500")] == [False, True]
    assert (await desk.due_users(), desk.broker.taken) == (1_100, [])

    desk.broker.open.set()
    await step
    await desk.drain()
    assert all([await desk.shown(user) == ["x", "b"] for user in users])
    assert {key for key, _ in desk.broker.taken} == {f"user:{user}" for user in users}


async def test_while_interactions_wait_nothing_is_made_ahead(desk: Desk, made: list[str]) -> None:
    """It would take the time away from them."""
    await desk.notes({f"u{number}": history(("a",), ITEMS) for number in range(1_100)})
    desk.broker.open.clear()
    await desk.owner.step(busy=True)
    assert desk.owner.due_in_s(busy=True) > 0
    assert len(made) == 125
    desk.broker.open.set()


async def test_nothing_is_read_of_who_was_never_noted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whom an owner before noted it is, and so a list that is the same is not sent again."""
    read: list[str] = []
    standing = Lists.get_many

    async def noted(self: Lists, kind: str, names: Sequence[str]) -> list[bytes]:
        read.extend(names if kind == "user" else ())
        return await standing(self, kind, names)

    monkeypatch.setattr(Lists, "get_many", noted)
    await desk.sees("u", "a")
    await desk.drain()
    assert (await desk.shown("u"), read) == (["x", "b"], [])

    await desk.open()
    await desk.sees("u", "a")
    await desk.drain()
    assert read == ["u"]
    assert [key for key, _ in desk.broker.taken] == ["user:u"]


async def test_a_list_of_a_state_before_goes_where_nothing_is_to_be_shown(desk: Desk) -> None:
    """After a rebuild nobody is noted, and the lists still stand."""
    old = b'{"v":1,"kind":"user","id":"u","seq":0,"as_of":1.0,"items":[{"id":"x","score":1.0}]}'
    await desk.lists.replace("user", [("u", old)], 0)
    await desk.sees("u", "y")
    await desk.drain()
    assert await desk.shown("u") is None
    assert desk.broker.taken == [("user:u", None)]


async def test_a_list_that_waited_for_its_turn_is_made_of_what_a_sweep_saw(desk: Desk) -> None:
    """A sweep leaves out who is due, and so does not make such a list again."""
    await desk.open(publish_interval=2.0, refresh_interval=0.05)
    users = [f"u{number}" for number in range(130)]
    await desk.notes({user: history(("a",), ITEMS) for user in users})
    await desk.drain()
    # The lists of the items are read now, and again no sooner than lists for users may change.
    await desk.sees("v", "a")
    await desk.drain()
    await desk.notes({user: history(("b", "a"), ITEMS) for user in [*users, "v"]})
    await desk.item_list("a", {"y": 0.5, "b": 0.25})
    published = int(await desk.redis.hget("s:{i0}:head", "published") or 0)

    async def swept() -> bool:
        return bool(await desk.redis.hget(KEYS.head, "seen") == f"0:{published}/0".encode())

    await desk.until(swept, "all others are compared")
    assert len(await desk.due()) == 131
    await desk.drain()
    assert {tuple(await desk.shown(user) or ()) for user in users} == {("y",)}
