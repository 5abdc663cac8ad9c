"""Lists for users whose scores move: they are replaced when a score has moved by the tolerance.

Redis and its scripts are real; the broker is a fake.
"""

import json
from collections.abc import Sequence

import pytest

from streamapp.store.lists import Lists
from tests.component.harness.user_partition import UserPartition, seq


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users whose lists are read, in order."""
    found: list[str] = []
    get_many = Lists.get_many

    async def noted(self: Lists, kind: str, names: Sequence[str]) -> list[bytes]:
        found.extend(names if kind == "user" else ())
        return await get_many(self, kind, names)

    monkeypatch.setattr(Lists, "get_many", noted)
    return found


async def scores(partition: UserPartition, user: str) -> list[float]:
    """Return the scores of the list of a user."""
    value = json.loads(await partition.stored_list(user))
    return [entry["score"] for entry in value["items"]]


async def test_a_list_is_replaced_when_a_score_has_moved_by_the_tolerance(
    partition: UserPartition, read: list[str]
) -> None:
    """Redis has the published scores; they are read only if nothing else differs."""
    await partition.sees("u", "a")
    await partition.drain()
    before, sent = await partition.stored_list("u"), len(partition.broker.taken)
    await partition.item_list("a", {"x": 0.504, "b": 0.252})
    await partition.drain()
    assert (await partition.stored_list("u"), read) == (before, ["u"])

    await partition.item_list("a", {"x": 0.506, "b": 0.25})
    await partition.drain()
    assert (await scores(partition, "u"), read) == ([0.506, 0.25], ["u", "u"])
    assert seq(await partition.stored_list("u")) > seq(before)

    await partition.item_list("a", {"b": 0.507, "x": 0.506})
    await partition.drain()
    assert (await partition.shown("u"), read) == (["b", "x"], ["u", "u"])
    assert len(partition.broker.taken) == sent + 2


@pytest.mark.parametrize("reopens", [False, True])
async def test_small_moves_do_not_add_up(partition: UserPartition, reopens: bool) -> None:
    """Every list that is made is compared with the stored one, by each owner."""
    await partition.sees("u", "a")
    await partition.drain()
    versions = set()
    for step in range(1, 25):
        if reopens:
            await partition.open()
        true = 0.5 * 1.004**step
        await partition.item_list("a", {"x": true, "b": 0.25})
        await partition.drain()
        (score, _) = await scores(partition, "u")
        assert abs(true - score) <= 0.01 * score
        versions.add(score)
    assert len(versions) == 9


async def test_another_item_behind_an_entry_is_another_list(partition: UserPartition) -> None:
    """A reader shows the reason, so it is as exact as the members."""
    await partition.open(user_fading=1.0)
    await partition.item_list("a", {"x": 0.5})
    await partition.item_list("b", {"x": 0.499})
    await partition.sees("u", "b", "a")
    await partition.drain()
    await partition.item_list("b", {"x": 0.501})
    await partition.drain()
    (entry,) = json.loads(await partition.stored_list("u"))["items"]
    assert (entry["because"], entry["score"]) == ("b", pytest.approx(1.001))


async def test_a_list_that_stays_within_the_tolerance_is_complete_and_lives_longer(
    partition: UserPartition,
) -> None:
    """The user has done something, and nothing is pending afterwards."""
    await partition.open(user_list_ttl=1_000)
    await partition.sees("u", "a")
    await partition.drain()
    before = await partition.redis.expiretime("l:user:u")
    await partition.open(user_list_ttl=2_000)
    await partition.item_list("a", {"x": 0.502, "b": 0.25})
    sent = len(partition.broker.taken)
    await partition.sees("u", "a")
    await partition.drain()
    assert await scores(partition, "u") == [0.5, 0.25]
    assert (len(partition.broker.taken), await partition.due()) == (sent, set())
    assert await partition.redis.expiretime("l:user:u") >= before + 900


async def test_a_lost_list_is_published_again_though_its_scores_moved_little(
    partition: UserPartition,
) -> None:
    """There is nothing to compare with."""
    await partition.sees("u", "a")
    await partition.drain()
    await partition.redis.delete("l:user:u")
    await partition.item_list("a", {"x": 0.501, "b": 0.25})
    await partition.drain()
    assert await scores(partition, "u") == [0.501, 0.25]


async def test_without_a_tolerance_every_change_is_published_and_nothing_is_read(
    partition: UserPartition, read: list[str]
) -> None:
    """A digest says whether anything differs."""
    await partition.open(list_tolerance=0.0)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.item_list("a", {"x": 0.5000001, "b": 0.25})
    await partition.drain()
    assert (await scores(partition, "u"), read) == ([0.5000001, 0.25], [])
