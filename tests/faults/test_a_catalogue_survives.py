"""Workers die between catalogue and lists; no list shows an unavailable item in the end."""

import asyncio
import random
import shutil
import signal
from collections.abc import Iterable, Sequence

import pytest

from streamapp.failpoints import CATALOGUE_NAMES, CATEGORY_NAMES
from tests.faults.shop import exact, selling, sent_of, total
from tests.integration.traffic import (
    Sent,
    deleted,
    hidden_by,
    hidden_in_lists,
    produce,
    product,
    succeeded,
    synthetic,
    with_catalogue,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode

_DIES_S = 90.0
_CATEGORIES = ["", "tents", "lamps", "pots"]
_ITEMS = [f"sku-{number}" for number in range(30)]

_PLACES = (
    *CATALOGUE_NAMES,
    *CATEGORY_NAMES,
    "neighbours.deltas-applied",
    "neighbours.rows-put",
    "publication.lists-replaced",
    "publication.lists-sent",
    "neighbours.position-moved",
    "trending.replaced",
    "trending.sent",
)


@pytest.fixture(autouse=True)
def _catalogue(deployment: Deployment) -> None:
    """Turn the catalogue on."""
    with_catalogue(deployment)


def turns(seed: int, count: int) -> list[Sent]:
    """Return records by which items come and go, and move from one category to another."""
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    records = []
    for _ in range(count):
        item = chance.choice(_ITEMS)
        available, category = chance.random() < 0.5, chance.choice(_CATEGORIES)
        records.append(
            deleted(item)
            if chance.random() < 0.2
            else product(item, available=available, category=category)
        )
    return records


def hidden_after(records: Iterable[Sent]) -> set[str]:
    """Return the items that are not available after these records."""
    last = {record.key.decode(): record.value for record in records if record.key}
    return {item for item, value in last.items() if value is None or b"false" in value}


def right(deployment: Deployment, acts: Sequence[object], records: Iterable[Sent]) -> None:
    """Check that all is exact, that shards hide the right items, and that no list shows them.

    The audit compares the trending items of each category as well.
    """
    hidden = hidden_after(records)
    wait_until(
        lambda: hidden_by(deployment) == hidden,
        120,
        lambda: f"{sorted(hidden)} are hidden, not {sorted(hidden_by(deployment))}",
    )
    exact(deployment, acts)  # type: ignore[arg-type]
    assert hidden_by(deployment) == hidden
    assert hidden_in_lists(deployment, hidden) == []


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            CATALOGUE_NAMES[0],
            marks=pytest.mark.ci(reason="a death between the catalogue and the lists"),
        ),
        *(pytest.param(place, marks=pytest.mark.full) for place in _PLACES[1:]),
    ],
)
def test_a_death_between_the_catalogue_and_the_lists_hides_no_less(
    deployment: Deployment, place: str
) -> None:
    """Nothing but the catalogue changes, so no event causes lists to be made again."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    acts = list(synthetic(seed=51, events=300))
    zero = deployment.worker("zero", instance_id="one")
    asyncio.run(produce(deployment, [sent_of(deployment, [act]) for act in acts]))
    exact(deployment, acts)
    assert zero.terminate() == 0

    one = deployment.worker("one", instance_id="one", failpoint=f"{place}:1")
    records = turns(seed=51, count=40)
    asyncio.run(produce(deployment, records))
    assert one.wait(_DIES_S) == -signal.SIGKILL
    deployment.worker("two", instance_id="one")
    right(deployment, acts, records)


@pytest.mark.full
def test_items_come_and_go_while_workers_are_killed_and_join(deployment: Deployment) -> None:
    """Three workers; one is killed again and again while others take its shards."""
    records: list[Sent] = []
    with selling(deployment, synthetic(seed=52, events=100_000), rate=300) as shop:
        workers = [deployment.worker(name) for name in ("one", "two", "three")]
        for seed, worker in enumerate((*workers, workers[0])):
            some = turns(seed, 60)
            asyncio.run(produce(deployment, some))
            records += some
            worker.kill()
            worker.start()
    right(deployment, shop.sold, records)


@pytest.mark.full
def test_an_older_state_is_restored_and_the_catalogue_is_read_on_from_there(
    apart: Deployment, node: RedisNode
) -> None:
    """Items that had come or gone since come and go again, with a `seq` above the sent one."""
    with_catalogue(apart)
    backup = node.folder / "backup"
    acts, records = list(synthetic(seed=53, events=300)), turns(seed=53, count=40)
    succeeded(apart, "streamapp", "topics")
    asyncio.run(produce(apart, [sent_of(apart, [act]) for act in acts] + records))
    one = apart.worker("one", instance_id="one")
    right(apart, acts, records)
    assert one.terminate() == 0
    node.stop()
    shutil.copytree(node.folder / "appendonlydir", backup)
    node.start()

    records += turns(seed=54, count=40)
    asyncio.run(produce(apart, records[40:]))
    two = apart.worker("two", instance_id="one")
    right(apart, acts, records)
    assert two.terminate() == 0
    node.kill()
    shutil.rmtree(node.folder / "appendonlydir")
    backup.rename(node.folder / "appendonlydir")
    node.start()
    assert hidden_by(apart) == hidden_after(records[:40])

    apart.worker("three", instance_id="one")
    right(apart, acts, records)
    assert total(apart, "c", "rolled_back") > 0
