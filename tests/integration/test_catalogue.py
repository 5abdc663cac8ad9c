"""A catalogue: an item that is not available is in no list, and returns when it is available."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.integration.traffic import (
    Sent,
    audited,
    deleted,
    event,
    hidden_by,
    hidden_in_lists,
    produce,
    product,
    read_topic,
    rebuilt,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    with_catalogue,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

NOW = 1_700_000_000.0
WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def _catalogue(deployment: Deployment) -> None:
    """Turn the catalogue on."""
    with_catalogue(deployment)


def listed(deployment: Deployment, name: str) -> list[str]:
    """Return the items of a list by its name."""
    content = redis_lists(deployment).get(name)
    return [entry["id"] for entry in orjson.loads(content)["items"]] if content else []


async def shown(deployment: Deployment, **expected: list[str]) -> None:
    """Wait until lists are as expected, by their names with `_` for the colon."""
    names = {name: name.replace("_", ":") for name in expected}
    await asyncio.to_thread(
        wait_until,
        lambda: all(listed(deployment, names[name]) == expected[name] for name in names),
        WITHIN_S,
        lambda: f"{expected}, not { {name: listed(deployment, names[name]) for name in names} }",
    )


def shop() -> list[Sent]:
    """Return clicks that give a the list b, c, d, and make e trend behind all of them."""
    seen = {"u1": "abcd", "u2": "abc", "u3": "ab", "v": "a", "w": "e"}
    return [event(user, item, ts=NOW) for user, items in seen.items() for item in items]


async def test_an_item_that_is_not_available_leaves_every_list_and_comes_back(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Item lists, user lists and trending lists are refilled to their length."""
    deployment.env["STREAMAPP_TOP_N"] = "2"
    worker()
    await produce(deployment, shop())
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])

    await produce(deployment, [product("b", available=False, title="B", colour="red")])
    await shown(deployment, item_a=["c", "d"], user_v=["c", "d"], trending=["a", "c"])
    assert listed(deployment, "item:b") == ["a", "c"]

    await produce(deployment, [product("b", available=True)])
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])

    await produce(deployment, [deleted("b"), product("a", available=False)])
    await shown(deployment, item_a=["c", "d"], item_b=["c", "d"], trending=["c", "d"])
    await produce(deployment, [product("b"), product("a")])
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])


async def test_what_cannot_be_used_is_a_dead_letter_and_the_rest_counts(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Byte for byte, with its code; the unknown fields of an item stay as they were."""
    deployment.env["STREAMAPP_MAX_RECORD_BYTES"] = "2000"
    worker()
    bad = {
        "not_json": Sent(b"{", b"x", "catalogue"),
        "not_utf8": Sent(b"{}", b"\xff", "catalogue"),
        "missing_id": Sent(b"{}", b"x", "catalogue"),
        "not_an_event": Sent(b"[]", b"x", "catalogue"),
        "key_mismatch": product("y")._replace(key=b"x"),
        "invalid_available": product("b", available="no"),
        "invalid_text": product("b", available=False, title=7),
        "too_large": product("b", available=False, text="x" * 2_000),
    }
    await produce(deployment, [*shop(), *bad.values(), product("d", available=False)])
    await shown(deployment, item_a=["b", "c"], trending=["a", "b", "c", "e"])
    letters = await read_topic(deployment, f"{deployment.name}-catalogue.dlq")
    found = {dict(one.headers)["error.code"].decode(): (one.value, one.key) for one in letters}
    assert found == {code: (sent.value, sent.key) for code, sent in bad.items()}

    def drained() -> bool:
        status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
        return not status["lag_events"] and status["dead_letters"] == len(bad)

    await asyncio.to_thread(wait_until, drained, WITHIN_S, "the letters are counted")
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert (status["hidden_items"], status["catalogue_items"]) == (1, 1)
    topics = {one["topic"] for one in status["partitions"]}
    assert f"{deployment.name}-catalogue" in topics


def test_a_state_with_a_catalogue_is_not_continued_without_it(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Items would stay hidden forever."""
    assert worker().terminate() == 0
    del deployment.env["STREAMAPP_CATALOGUE_TOPIC"]
    two = deployment.idle_worker("two")
    two.launch()
    assert two.wait(60) == 2
    assert f"the state was begun with the topic {deployment.name}-catalogue" in two.output
    assert "CATALOGUE_TOPIC" in two.output


@pytest.mark.ci(reason="a catalogue that comes later, and one that is read again")
def test_a_catalogue_may_come_later_and_a_rebuild_reads_it_again(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A shop begins without one; the audit knows the hidden items before and after."""
    topic = deployment.env.pop("STREAMAPP_CATALOGUE_TOPIC")
    acts = list(synthetic(seed=81, events=3_000))
    log = write_log(tmp_path / "shop.csv", acts)
    one = worker("one")
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    assert audited(deployment, [log])["compared"]["availability"] == 0
    assert one.terminate() == 0

    deployment.env["STREAMAPP_CATALOGUE_TOPIC"] = topic
    made = succeeded(deployment, "streamapp", "topics")
    assert topic in made
    two = worker("two")
    popular = [f"sku-{number}" for number in range(6)]
    records = [product(item, available=False) for item in popular]
    records += [deleted("sku-7"), product("sku-8", title="Eight"), product("never-seen")]
    records += [product("sku-1"), deleted("sku-0"), deleted("sku-8"), product("sku-8")]
    asyncio.run(produce(deployment, records))
    hidden = {"sku-0", "sku-2", "sku-3", "sku-4", "sku-5", "sku-7"}
    wait_until(lambda: hidden_by(deployment) == hidden, WITHIN_S, "they are hidden")
    assert audited(deployment, [log])["compared"]["availability"] == 7
    assert hidden_in_lists(deployment, hidden) == []
    assert two.terminate() == 0

    rebuilt(deployment)
    worker("three")
    report = audited(deployment, [log])
    assert (report["compared"]["availability"], report["applied_events"]) == (7, len(acts))
    assert hidden_by(deployment) == hidden
    assert hidden_in_lists(deployment, hidden) == []
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)
