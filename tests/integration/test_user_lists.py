"""User lists: blended from item lists, through Kafka and Redis, as frontends read them."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.integration.traffic import (
    Act,
    audited,
    event,
    produce,
    read_topic,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]
BEGINNING = 1_700_000_000.0
BAR_S = 1.0
WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def _nothing_trends(deployment: Deployment) -> None:
    """Keep lists short that trending items would fill."""
    deployment.env["STREAMAPP_TRENDING_HALF_LIFE"] = "0"


def raw(deployment: Deployment, key: str) -> bytes | None:
    """Return the list under a key, without its prefix."""
    with deployment.redis() as redis:
        found: Any = redis.get(deployment.env["STREAMAPP_LIST_PREFIX"] + key)
    return None if found is None else bytes(found)


def shown(deployment: Deployment, user: str) -> dict[str, Any]:
    """Return the list of a user; empty without one."""
    return orjson.loads(raw(deployment, f"user:{user}") or b"{}")  # type: ignore[no-any-return]


def items(deployment: Deployment, user: str) -> list[str]:
    """Return the items of a user's list."""
    return [entry["id"] for entry in shown(deployment, user).get("items", [])]


def users_of(lists: dict[str, bytes]) -> dict[str, bytes]:
    """Return the user lists among some lists."""
    return {key: value for key, value in lists.items() if key.startswith("user:")}


def visits(*seen: str) -> list[Act]:
    """Return acts, a second apart; `u:abc` is a user who clicks a, b and c, `B` buys b."""
    acts: list[Act] = []
    for visit in seen:
        user, _, names = visit.partition(":")
        for name in names:
            kind = "purchase" if name.isupper() else "click"
            acts.append(Act(user, name.lower(), kind, BEGINNING + len(acts)))
    return acts


async def send(deployment: Deployment, acts: Sequence[Act]) -> None:
    """Produce acts to one topic, so that they are applied in order."""
    await produce(deployment, [event(a.user, a.item, type=a.type, ts=a.ts) for a in acts])


async def sold(deployment: Deployment, folder: Path, acts: Sequence[Act]) -> dict[str, Any]:
    """Produce acts, and return the report of an audit that finds no difference."""
    await send(deployment, acts)
    return await exact(deployment, folder, acts)


async def exact(deployment: Deployment, folder: Path, acts: Sequence[Act]) -> dict[str, Any]:
    """Return the report of an audit that finds no difference; the topic must equal the keys."""
    log = write_log(folder / "acts.csv", acts)
    report: dict[str, Any] = await asyncio.to_thread(audited, deployment, [log])
    assert await topic_as_keys(deployment) == redis_lists(deployment)
    return report


@pytest.mark.alone
@pytest.mark.ci(reason="how soon a click is seen")
async def test_a_click_changes_the_own_list_and_that_of_an_item_which_others_read(
    deployment: Deployment, worker: StartWorker
) -> None:
    """One browser after another: from the event to both keys, in under a second."""
    worker()
    clicks = 15
    await send(deployment, visits("u:ab", *(f"{number}:a" for number in range(clicks))))
    for number in range(clicks):
        wait_until(lambda: items(deployment, str(number)) == ["b"], WITHIN_S, "all have lists")  # noqa: B023
    own, others = [], []
    async with AIOKafkaProducer(bootstrap_servers=deployment.servers.bootstrap) as producer:
        for number in range(clicks):
            user, new = str(number), f"new-{number}"
            before = raw(deployment, f"user:{user}")
            click, began_at = event(user, new, ts=BEGINNING + 100 + number), time.monotonic()
            await producer.send_and_wait(f"{deployment.name}-clicks", click.value, click.key)

            def passed(condition: Callable[[], bool], since: float = began_at) -> float:
                wait_until(condition, WITHIN_S, "the list changes")
                return time.monotonic() - since

            own.append(passed(lambda: raw(deployment, f"user:{user}") != before))  # noqa: B023
            others.append(passed(lambda: new.encode() in (raw(deployment, "item:a") or b"")))  # noqa: B023
    for name, seconds in (("own list", own), ("list of an item", others)):
        print(f"{name}: median {1e3 * statistics.median(seconds):.0f} ms, "  # noqa: T201
              f"worst {1e3 * max(seconds):.0f} ms")  # fmt: skip
    assert max(own) < BAR_S
    assert max(others) < BAR_S


async def test_the_key_has_the_documented_form_and_show_prints_it(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """To the byte; each entry names the item of the history behind it."""
    deployment.env |= {"STREAMAPP_USER_FADING": "0.5", "STREAMAPP_LIST_TOLERANCE": "0"}
    worker()
    acts = visits("u1:ab", "u2:ac", "u3:cd", "me:ca")
    await sold(deployment, tmp_path, acts)
    value = raw(deployment, "user:me")
    assert value is not None
    got = orjson.loads(value)
    lists = {item: orjson.loads(raw(deployment, f"item:{item}") or b"") for item in "ac"}
    of_a, of_c = ({e["id"]: e["score"] for e in lists[item]["items"]} for item in "ac")
    assert got == {
        "v": 1,
        "kind": "user",
        "id": "me",
        "seq": got["seq"],
        "as_of": max(one["as_of"] for one in lists.values()),
        "items": [
            {"id": "b", "score": of_a["b"], "reason": "similar", "because": "a"},
            {"id": "d", "score": 0.5 * of_c["d"], "reason": "similar", "because": "c"},
        ],
    }
    assert (of_a["b"], of_c["d"]) == (1 / 3**0.5, 1 / 3**0.5)
    assert list(got) == ["v", "kind", "id", "seq", "as_of", "items"]
    assert list(got["items"][0]) == ["id", "score", "reason", "because"]
    assert value == orjson.dumps(got)
    assert abs(got["seq"] - 1e3 * time.time()) < 600_000

    show = ("streamapp", "show", "user", "me")
    assert (await asyncio.to_thread(succeeded, deployment, *show, "--json")).encode() == value
    table = await asyncio.to_thread(succeeded, deployment, *show)
    assert f"user:me, seq {got['seq']}, as of 2023-11-14" in table
    rows = [line.split() for line in table.splitlines()]
    assert any({"id", "score", "reason", "because"} <= set(row) for row in rows)
    for entry in got["items"]:
        assert any({entry["id"], "similar", entry["because"]} <= set(row) for row in rows)


@pytest.mark.parametrize(
    ("exclude", "listed"),
    [
        pytest.param("seen", "d", marks=pytest.mark.full),
        ("bought", "acd"),
        pytest.param("nothing", "abcd", marks=pytest.mark.full),
    ],
)
async def test_what_was_seen_or_bought_is_left_out(
    deployment: Deployment, worker: StartWorker, tmp_path: Path, exclude: str, listed: str
) -> None:
    """By the setting; the audit uses the same rule."""
    deployment.env["STREAMAPP_USER_EXCLUDE"] = exclude
    worker()
    await sold(deployment, tmp_path, visits("u1:abcd", "u2:abcd", "me:aBc"))
    assert sorted(items(deployment, "me")) == list(listed)


async def test_a_user_who_does_nothing_gets_a_new_list_when_others_change_those_of_the_items(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Within the interval, once they are idle; a user of other items keeps the same list."""
    deployment.env["STREAMAPP_REFRESH_INTERVAL"] = "1"
    worker()
    acts = visits("u1:ab", "u2:xy", "me:a", "you:x")
    await sold(deployment, tmp_path, acts)
    assert items(deployment, "me") == ["b"]
    mine, yours = shown(deployment, "me"), raw(deployment, "user:you")

    acts += (more := [act._replace(ts=act.ts + 100) for act in visits("u3:ac")])
    await send(deployment, more)
    wait_until(lambda: items(deployment, "me") == ["b", "c"], WITHIN_S, "the list follows")
    assert shown(deployment, "me")["seq"] > mine["seq"]
    assert raw(deployment, "user:you") == yours
    await exact(deployment, tmp_path, acts)


async def test_a_list_goes_some_time_after_the_last_event_and_comes_back_with_the_user(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """The key is removed, the topic ends with null, and the audit expects no list."""
    deployment.env["STREAMAPP_USER_LIST_TTL"] = "4"
    worker()
    acts = visits("u:ab", "me:a")
    await send(deployment, acts)
    wait_until(lambda: shown(deployment, "me"), WITHIN_S, "there is a list")
    before = shown(deployment, "me")
    wait_until(lambda: not shown(deployment, "me"), WITHIN_S, "it goes")
    report = await exact(deployment, tmp_path, acts)
    assert report["compared"]["user lists"] == 0
    records = await read_topic(deployment, f"{deployment.name}-lists")
    assert [r.value for r in records if r.key == b"user:me"][-1] is None

    acts += (back := [Act("me", "a", "click", BEGINNING + 100)])
    await send(deployment, back)
    wait_until(lambda: shown(deployment, "me"), WITHIN_S, "it is back")
    assert shown(deployment, "me")["seq"] > before["seq"]


@pytest.mark.full
async def test_while_lists_go_one_after_the_other_the_audit_finds_nothing(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Some lists end while it reads, and some should be gone for a moment."""
    deployment.env["STREAMAPP_USER_LIST_TTL"] = "8"
    worker()
    acts = visits("u:ab", *(f"{number}:a" for number in range(60)))
    for start in range(0, len(acts), 3):
        await send(deployment, acts[start : start + 3])
        await asyncio.sleep(0.3)
    log = write_log(tmp_path / "acts.csv", acts)
    audits = 0
    while users_of(redis_lists(deployment)):
        await asyncio.to_thread(audited, deployment, [log])
        audits += 1
    assert audits
    await exact(deployment, tmp_path, acts)


@pytest.mark.full
async def test_without_lists_for_users_there_are_none(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Neither keys nor records; events count all the same."""
    deployment.env["STREAMAPP_USER_LIST_TTL"] = "0"
    worker()
    report = await sold(deployment, tmp_path, list(synthetic(seed=81, events=500)))
    lists = redis_lists(deployment)
    assert lists
    assert not users_of(lists)
    assert report["compared"]["user lists"] == 0
    records = await read_topic(deployment, f"{deployment.name}-lists")
    assert all(record.key.startswith(b"item:") for record in records)


@pytest.mark.ci(reason="the setting USER_LIST_TTL")
async def test_lists_for_users_are_removed_when_they_are_switched_off(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """All keys are removed, and the topic ends with null for each of them."""
    one = worker(instance_id="one")
    acts = list(synthetic(seed=82, events=2_000, users=900))
    await sold(deployment, tmp_path, acts)
    before = users_of(redis_lists(deployment))
    assert len(before) > 500
    assert await asyncio.to_thread(one.terminate) == 0

    deployment.env["STREAMAPP_USER_LIST_TTL"] = "0"
    worker("two", instance_id="one")
    wait_until(lambda: not users_of(redis_lists(deployment)), WITHIN_S, "all are gone")
    records = await read_topic(deployment, f"{deployment.name}-lists")
    last = {record.key.decode(): record.value for record in records}
    assert {key: last[key] for key in before} == dict.fromkeys(before)
    await exact(deployment, tmp_path, acts)


@pytest.mark.ci(reason="the settings USER_DEPTH, USER_FADING and USER_EXCLUDE")
async def test_lists_follow_another_rule_and_a_restart_without_one_publishes_nothing(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A worker that finds no difference leaves every byte; one with another fading, few."""
    one = worker(instance_id="one")
    acts = list(synthetic(seed=83, events=2_000))
    await sold(deployment, tmp_path, acts)
    before = users_of(redis_lists(deployment))
    assert before
    sent = len(await read_topic(deployment, f"{deployment.name}-lists"))
    assert await asyncio.to_thread(one.terminate) == 0

    same = worker("same", instance_id="one")
    await exact(deployment, tmp_path, acts)
    assert users_of(redis_lists(deployment)) == before
    assert len(await read_topic(deployment, f"{deployment.name}-lists")) == sent
    assert await asyncio.to_thread(same.terminate) == 0

    deployment.env["STREAMAPP_USER_FADING"] = "0.9"
    worker("other", instance_id="one")
    await exact(deployment, tmp_path, acts)
    after = users_of(redis_lists(deployment))
    assert set(after) == set(before)
    changed = [key for key in after if after[key] != before[key]]
    assert len(changed) > len(after) / 2
    for key in changed:
        assert orjson.loads(after[key])["seq"] > orjson.loads(before[key])["seq"]
