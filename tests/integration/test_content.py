"""New products have neighbours by their text, until they have counts."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import (
    Act,
    Sent,
    audited,
    deleted,
    event,
    produce,
    product,
    rebuilt,
    redis_lists,
    succeeded,
    topic_as_keys,
    with_catalogue,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

NOW = 1_700_000_000.0
WITHIN_S = 40.0
TEXTS = {
    "tent": "Red tent",
    "tarp": "Red tarp",
    "dome": "Dome tent, red",
    "stove": "Gas stove",
    "lamp": "Gas lamp",
}
"""Titles of products."""


@pytest.fixture(autouse=True)
def _on(deployment: Deployment) -> None:
    with_catalogue(deployment)
    deployment.env["STREAMAPP_CONTENT_NEIGHBOURS"] = "true"
    deployment.env["STREAMAPP_REFRESH_INTERVAL"] = "0.3"
    deployment.env["STREAMAPP_PARTITIONS"] = "2"


def entries(deployment: Deployment, item: str) -> list[dict[str, Any]]:
    """Return the entries of an item's list; none without a list."""
    content = redis_lists(deployment).get(f"item:{item}")
    return orjson.loads(content)["items"] if content else []


def of_items(deployment: Deployment) -> dict[str, bytes]:
    """Return all lists of items."""
    lists = redis_lists(deployment).items()
    return {name: content for name, content in lists if name.startswith("item:")}


def comes(deployment: Deployment, item: str, *expected: str, reason: str | None) -> None:
    """Wait until the list of an item is as expected, with this reason on every entry."""
    wanted = [(other, reason) for other in expected]

    def found() -> list[tuple[str, str | None]]:
        return [(one["id"], one.get("reason")) for one in entries(deployment, item)]

    wait_until(lambda: found() == wanted, WITHIN_S, lambda: f"{item}: {wanted}, not {found()}")


def goods() -> list[Sent]:
    """Return a catalogue."""
    return [product(item, title=text, category="outdoor") for item, text in TEXTS.items()]


def clicks(*pairs: tuple[str, str]) -> list[Act]:
    """Return clicks of users on items."""
    return [Act(user, item, "click", NOW) for user, item in pairs]


def sent(acts: list[Act]) -> list[Sent]:
    """Return them as records."""
    return [event(act.user, act.item, ts=act.ts) for act in acts]


def test_a_new_product_has_neighbours_by_its_text_until_counts_carry_it(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """The list comes from the counts as soon as there are any, and from content otherwise.

    A hidden item leaves the list, and comes back; the list of a deleted product is removed.
    """
    one = worker()
    acts = clicks(("u", "stove"), ("u", "lamp"), ("v", "tent"))
    asyncio.run(produce(deployment, [*goods(), *sent(acts)]))
    comes(deployment, "dome", "tent", "tarp", "lamp", "stove", reason="content")
    comes(deployment, "tent", "dome", "tarp", "lamp", "stove", reason="content")
    comes(deployment, "stove", "lamp", reason=None)
    report = audited(deployment, [write_log(tmp_path / "one.csv", acts)])
    assert (report["compared"]["content lists"], report["compared"]["lists"]) == (3, 2)
    user = orjson.loads(redis_lists(deployment)["user:v"])["items"]
    because = [(one["id"], one["reason"], one["because"]) for one in user[:2]]
    assert because == [("dome", "similar", "tent"), ("tarp", "similar", "tent")]
    shown = succeeded(deployment, "streamapp", "show", "item", "dome")
    assert "reason" in shown
    assert shown.count("content") == 4

    acts += clicks(("w", "dome"), ("w", "stove"))
    asyncio.run(produce(deployment, sent(acts[-2:])))
    comes(deployment, "dome", "stove", reason=None)
    asyncio.run(
        produce(deployment, [product("stove", available=False), product("new", title="tent")])
    )
    comes(deployment, "dome", "tent", "new", "tarp", "lamp", reason="content")
    audited(deployment, [write_log(tmp_path / "two.csv", acts)])
    asyncio.run(produce(deployment, [product("stove", title="Gas"), deleted("new")]))
    comes(deployment, "dome", "stove", reason=None)
    comes(deployment, "new", reason=None)
    audited(deployment, [write_log(tmp_path / "three.csv", acts)])
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)

    assert one.terminate() == 0
    before = of_items(deployment)
    worker("two")
    audited(deployment, [tmp_path / "three.csv"])
    assert of_items(deployment) == before


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            "content.lists-sent:1",
            marks=pytest.mark.ci(reason="a death before what was sent is noted"),
        ),
        pytest.param("neighbours.rows-put:1", marks=pytest.mark.full),
        pytest.param("publication.lists-replaced:1", marks=pytest.mark.full),
        pytest.param("publication.lists-sent:1", marks=pytest.mark.full),
        pytest.param("neighbours.position-moved:1", marks=pytest.mark.full),
    ],
)
def test_a_death_between_what_was_sent_and_the_note_changes_nothing(
    deployment: Deployment, tmp_path: Path, place: str
) -> None:
    """Only titles are new, and no notice carries titles: all that the shard stores is content."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    acts = clicks(("u", "stove"), ("u", "lamp"), ("v", "tent"))
    log = write_log(tmp_path / "shop.csv", acts)
    zero = deployment.worker("zero", instance_id="one")
    untitled = [product(item, category="outdoor") for item in TEXTS]
    asyncio.run(produce(deployment, [*untitled, *sent(acts)]))
    audited(deployment, [log])
    assert zero.terminate() == 0

    one = deployment.worker("one", instance_id="one", failpoint=place)
    asyncio.run(produce(deployment, goods()))
    assert one.wait(90) == -signal.SIGKILL
    deployment.worker("two", instance_id="one")
    comes(deployment, "tent", "dome", "tarp", "lamp", "stove", reason="content")
    assert audited(deployment, [log])["compared"]["content lists"] == 3
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)


@pytest.mark.ci(reason="the setting CONTENT_NEIGHBOURS")
def test_a_rebuild_switches_it_off_and_withdraws_what_was_of_content(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A worker with another setting is refused; a worker of the rebuilt state counts as before."""
    acts = clicks(("u", "stove"), ("u", "lamp"))
    log = write_log(tmp_path / "shop.csv", acts)
    one = worker("one")
    asyncio.run(produce(deployment, [*goods(), *sent(acts)]))
    comes(deployment, "tarp", "tent", "dome", "lamp", "stove", reason="content")
    audited(deployment, [log])
    assert one.terminate() == 0

    deployment.env["STREAMAPP_CONTENT_NEIGHBOURS"] = "false"
    two = deployment.idle_worker("two")
    two.launch()
    assert two.wait(60) == 1
    assert "STREAMAPP_CONTENT_NEIGHBOURS was true, is null" in two.output
    refused = deployment.run("streamapp", "status")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "CONTENT_NEIGHBOURS is false, which is not what the state was begun" in refused.stderr
    assert rebuilt(deployment)["lists_removed"] == 4  # one of them of what trends in the category
    worker("three")
    report = audited(deployment, [log])
    assert "content lists" not in report["compared"]
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)
    assert not any(b'"content"' in content for content in redis_lists(deployment).values())
    keys = deployment.keys()
    assert not any(key.endswith(b":content") for key in keys)
