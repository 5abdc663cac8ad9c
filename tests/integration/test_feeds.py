"""Feeds of a shop: what they no longer offer leaves the lists, and comes back with a later feed."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from tests.integration.traffic import (
    event,
    produce,
    product,
    read_topic,
    redis_lists,
    succeeded,
    with_catalogue,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

WITHIN_S = 30.0


def google(path: Path, items: Iterable[str], sold_out: str = "") -> Path:
    """Write a feed of Google Merchant."""
    entries = "".join(
        f"<item><g:id>{item}</g:id><title>The {item}</title><g:product_type>gear</g:product_type>"
        f"<g:availability>{'out_of_stock' if item in sold_out else 'in_stock'}</g:availability>"
        "</item>"
        for item in items
    )
    path.write_text(
        '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">'
        f"<channel><title>Shop</title>{entries}</channel></rss>"
    )
    return path


def listed(deployment: Deployment, name: str) -> list[str]:
    """Return the items of a list."""
    content = redis_lists(deployment).get(name)
    return [entry["id"] for entry in orjson.loads(content)["items"]] if content else []


def shown(deployment: Deployment, items: list[str]) -> None:
    """Wait until the list of item a has these items."""
    wait_until(
        lambda: listed(deployment, "item:a") == items,
        WITHIN_S,
        lambda: f"{items}, not {listed(deployment, 'item:a')}",
    )


def test_lists_follow_the_feeds_of_a_shop(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A feed hides what is missing or sold out, the next shows it again, and a torso is refused."""
    with_catalogue(deployment)
    worker()
    seen = {"u1": "abcd", "u2": "abc", "u3": "ab"}
    events = [event(user, item) for user, items in seen.items() for item in items]
    asyncio.run(produce(deployment, [*events, product("d", title="Old", colour="red")]))
    shown(deployment, ["b", "c", "d"])

    def sent(items: str, *arguments: str, sold_out: str = "") -> dict[str, int]:
        """Run the command on a feed; return what differed, and what was sent."""
        feed = google(tmp_path / "feed.xml", items, sold_out)
        output = succeeded(
            deployment, "streamapp", "catalogue", str(feed), "--format", "google", "--json",
            *arguments,
        )  # fmt: skip
        report = orjson.loads(output)
        return {
            name: report[name] for name in ("new", "changed", "gone", "unchanged", "sent")
            if report[name]
        }  # fmt: skip

    def on_topic() -> int:
        return len(asyncio.run(read_topic(deployment, f"{deployment.name}-catalogue")))

    assert sent("abcd", "--dry-run") == {"new": 3, "changed": 1}
    assert on_topic() == 1
    assert sent("abcd") == {"new": 3, "changed": 1, "sent": 4}
    assert sent("acd", sold_out="c") == {"changed": 1, "gone": 1, "unchanged": 2, "sent": 2}
    shown(deployment, ["d"])
    wait_until(
        lambda: listed(deployment, "trending:gear") == ["a", "d"], WITHIN_S, "trending follows"
    )

    assert sent("abcd") == {"changed": 2, "unchanged": 2, "sent": 2}
    shown(deployment, ["b", "c", "d"])

    before = on_topic()
    torso = google(tmp_path / "feed.xml", "ab")
    refused = deployment.run("streamapp", "catalogue", str(torso), "--format", "google")
    assert refused.returncode == 1
    assert "2 of 4 available items are missing, more than 30 %" in refused.stderr
    assert on_topic() == before
    shown(deployment, ["b", "c", "d"])
