"""Trackers of several kinds on topics of their own: lists equal those of the flat form."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import (
    Sent,
    audited,
    event,
    produce,
    read_topic,
    redis_lists,
    succeeded,
)
from tests.property.test_formats import WRITERS, Event
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

FORMATS = ("segment", "ga4", "shopify")
GUESTS = ("0", "undefined")


@pytest.fixture(autouse=True)
def _formats(deployment: Deployment) -> None:
    topics = [f"{deployment.name}-{form}" for form in ("flat", *FORMATS)]
    deployment.env |= {
        "STREAMAPP_EVENT_TOPICS": ",".join(topics),
        "STREAMAPP_TOPIC_TYPES": f"{topics[0]}=click",
        "STREAMAPP_EVENT_FORMATS": ",".join(f"{deployment.name}-{form}={form}" for form in FORMATS),
        "STREAMAPP_BOUGHT_TOGETHER": "true",
        "STREAMAPP_IGNORED_USERS": ",".join(GUESTS),
    }


def known(user: str, kind: str, items: tuple[str, ...], order: str, ts: float) -> Event:
    """Return an event of a user with an account."""
    return Event(user, is_known=True, type=kind, items=items, order=order, ts=ts)


def shop(seed: int, number: int) -> list[Event]:
    """Return events of users who each have one tracker, and of guests who have one id."""
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    found = []
    for place in range(number):
        kind = chance.choices(("click", "add_to_cart", "purchase"), (8, 1, 2))[0]
        items = [f"sku-{int(60 * chance.random() ** 2)}" for _ in range(chance.randrange(1, 4))]
        user = chance.choice(GUESTS) if chance.random() < 0.1 else f"u{chance.randrange(200)}"
        if user in GUESTS and chance.random() < 0.5:
            # No other user buys gifts, so they are popular and in no pair.
            items = [f"gift-{chance.randrange(3)}"]
        named = tuple(dict.fromkeys(items[: 3 if kind == "purchase" else 1]))
        found.append(known(user, kind, named, f"o{place}", 1_700_000_000.0 + place))
    return found


def written(form: str, events: Sequence[Event]) -> list[bytes]:
    """Return the values of records."""
    return [orjson.dumps(WRITERS[form](one)) for one in events]


async def test_the_same_events_in_three_formats_give_the_lists_of_the_flat_form(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """The audit reads the same files, and those of the flat form, and finds no difference."""
    worker()
    streams = {form: shop(seed, 700) for seed, form in enumerate(FORMATS)}
    records = []
    for form, events in streams.items():
        # A user has one tracker, so that no history depends on which topic is read first.
        streams[form] = [one._replace(user=f"{form}-{one.user}") if one.user not in GUESTS else one
                         for one in events]  # fmt: skip
        values = written(form, streams[form])
        (tmp_path / f"{form}.jsonl").write_bytes(b"\n".join(values))
        (tmp_path / f"{form}-flat.jsonl").write_bytes(b"\n".join(written("flat", streams[form])))
        records += [Sent(value, one.user.encode(), form)
                    for value, one in zip(values, streams[form], strict=True)]  # fmt: skip
    await produce(deployment, records)
    for end in ("", "-flat"):
        report = await asyncio.to_thread(
            audited, deployment, [tmp_path / f"{form}{end}.jsonl" for form in FORMATS]
        )
        assert (
            report["applied_events"]
            == report["interactions"]
            == sum(len(one.items) for events in streams.values() for one in events)
        )
        assert report["compared"]["trending"] == 1
    lists = redis_lists(deployment)
    assert not [name for name in lists if name.removeprefix("user:") in GUESTS]
    assert not [name for name in lists if name.startswith("item:gift-")]
    assert any(name.startswith("bought_together:") for name in lists)


async def test_an_event_on_a_topic_of_another_format_and_a_bad_line_are_dead_letters(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Each message names the setting, or the line alone; good lines beside it count."""
    worker()
    order = known("u1", "purchase", ("a", "b"), "o1", 1_700_000_000.0)
    segment: Any = WRITERS["segment"](order)
    segment["properties"]["products"].insert(1, {"product_id": None, "name": "gift"})
    await produce(
        deployment,
        [
            Sent(orjson.dumps(segment), b"u1", "segment"),
            Sent(orjson.dumps(WRITERS["segment"](order)), b"u1", "flat"),
            event("u1", "c")._replace(topic="shopify"),
        ],
    )

    def counted() -> tuple[int, int]:
        status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
        return status["applied_events"], status["dead_letters"]

    await asyncio.to_thread(wait_until, lambda: counted() == (2, 3), 60, "all three are read")
    letters = {}
    for topic in ("segment", "flat", "shopify"):
        (letter,) = await read_topic(deployment, f"{deployment.name}-{topic}.dlq")
        about = dict(letter.headers)
        letters[topic] = about["error.code"].decode(), about["error.message"].decode(), letter.value
    code, _, value = letters["segment"]
    assert (code, json.loads(value)) == ("missing_id", {"product_id": None, "name": "gift"})
    for topic, found, expected in (("flat", "segment", "flat"), ("shopify", "flat", "shopify")):
        code, message, _ = letters[topic]
        assert code == "other_format"
        assert message == (
            f"the event looks like {found}, but EVENT_FORMATS reads its topic as {expected}"
        )
