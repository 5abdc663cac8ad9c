"""Lists for users follow those of items in busy times too where something was hidden."""

import pytest

from streamapp.agents.runtime.maintenance_budget import MaintenanceBudget
from tests.component.harness.user_partition import ITEMS, Desk, history

_POLLS_S = 2.5
"""Ten of these are more than a story may take."""


@pytest.mark.parametrize("merged", ["4", "5"])
async def test_a_sweep_begins_while_shards_publish_all_the_time(desk: Desk, merged: str) -> None:
    """The shard has brought what it heard into its lists, and into what trends."""
    await desk.open(refresh_interval=_POLLS_S)
    await desk.sees("u", "a")
    await desk.drain()
    assert await desk.shown("u") == ["x", "b"]

    async def without_x() -> bool:
        await desk.redis.hincrby("s:{i0}:head", "published", 1)
        return await desk.shown("u") == ["b"]

    await desk.item_list("a", {"b": 0.25})
    await desk.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": merged})
    await desk.until(without_x, "u's list is swept")


async def test_a_sweep_waits_for_what_trends(desk: Desk) -> None:
    """Lists would be filled again with what was hidden."""
    await desk.open(refresh_interval=_POLLS_S)
    await desk.sees("u", "a")
    await desk.drain()
    await desk.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": "3"})
    await desk.item_list("a", {"b": 0.25})
    polled = set()

    async def looked_again() -> bool:
        await desk.redis.hincrby("s:{i0}:head", "published", 1)
        polled.add(desk.owner._sweep._trigger._version)
        return len(polled) > 5

    await desk.until(looked_again, "heads were read again and again")
    assert await desk.shown("u") == ["x", "b"]


async def test_what_is_hidden_does_not_wait_for_records_that_come_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that was held back goes on as soon as it is known, and so does the next one."""
    rest_s = [60.0]
    monkeypatch.setattr(MaintenanceBudget, "due_in_s", lambda *_: rest_s[0])
    await desk.open(refresh_interval=0.05)
    users = [f"u{number}" for number in range(600)]
    await desk.notes({user: history(("a",), ITEMS) for user in users})

    async def are_made() -> bool:
        return await desk.due_users() == 0

    async def are_swept() -> bool:
        return [await desk.shown(user) for user in users] == [["b"]] * len(users)

    async def is_held_back() -> bool:
        return desk.owner._sweep.due_in_s(busy=False) > 1

    await desk.until(are_made, "all lists are made")
    await desk.item_list("a", {"b": 0.25})
    await desk.until(is_held_back, "the sweep is held back")
    await desk.owner.step(busy=False)
    assert not await are_swept()

    await desk.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": "4"})
    rest_s[0] = 0.0

    async def is_known() -> bool:
        return desk.owner._sweep._urgent

    await desk.until(is_known, "the sweep is urgent")
    rest_s[0] = 60.0
    await desk.until(are_swept, "all lists are swept")
    await desk.drain()
