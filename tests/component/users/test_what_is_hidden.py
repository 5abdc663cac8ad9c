"""User lists follow hidden items in item lists, also in busy times."""

import pytest

from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from tests.component.harness.user_partition import ITEMS, UserPartition, history

_POLLS_S = 2.5
"""Ten of these are longer than a story may take."""


@pytest.mark.parametrize("merged", ["4", "5"])
async def test_a_sweep_begins_while_shards_publish_all_the_time(
    partition: UserPartition, merged: str
) -> None:
    """The item lists and the trending list of the shard reflect the update."""
    await partition.open(refresh_interval=_POLLS_S)
    await partition.sees("u", "a")
    await partition.drain()
    assert await partition.shown("u") == ["x", "b"]

    async def without_x() -> bool:
        await partition.redis.hincrby("s:{i0}:head", "published", 1)
        return await partition.shown("u") == ["b"]

    await partition.item_list("a", {"b": 0.25})
    await partition.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": merged})
    await partition.until(without_x, "u's list is swept")


async def test_a_sweep_waits_for_what_trends(partition: UserPartition) -> None:
    """Lists would be filled again with the hidden item."""
    await partition.open(refresh_interval=_POLLS_S)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": "3"})
    await partition.item_list("a", {"b": 0.25})
    polled = set()

    async def looked_again() -> bool:
        await partition.redis.hincrby("s:{i0}:head", "published", 1)
        polled.add(partition.owner._sweep._debounce._version)
        return len(polled) > 5

    await partition.until(looked_again, "heads were read again and again")
    assert await partition.shown("u") == ["x", "b"]


async def test_what_is_hidden_does_not_wait_for_records_that_come_in(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that was held back goes on as soon as the notice is known, and so does the next."""
    rest_s = [60.0]
    monkeypatch.setattr(MaintenanceBudget, "due_in_s", lambda *_: rest_s[0])
    await partition.open(refresh_interval=0.05)
    users = [f"u{number}" for number in range(600)]
    await partition.notes({user: history(("a",), ITEMS) for user in users})

    async def are_made() -> bool:
        return await partition.due_users() == 0

    async def are_swept() -> bool:
        return [await partition.shown(user) for user in users] == [["b"]] * len(users)

    async def is_held_back() -> bool:
        return partition.owner._sweep.due_in_s(busy=False) > 1

    await partition.until(are_made, "all lists are made")
    await partition.item_list("a", {"b": 0.25})
    await partition.until(is_held_back, "the sweep is held back")
    await partition.owner.step(busy=False)
    assert not await are_swept()

    await partition.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": "4"})
    rest_s[0] = 0.0

    async def is_known() -> bool:
        return partition.owner._sweep._urgent

    await partition.until(is_known, "the sweep is urgent")
    rest_s[0] = 60.0
    await partition.until(are_swept, "all lists are swept")
    await partition.drain()
