"""Settings other than those of the state: refused, or migrated, never mixed."""

from typing import Any

import orjson
import pytest

from tests.faults.shop import Shop, exact, selling
from tests.integration.traffic import rebuilt, redis_lists, synthetic
from tests.servers.deployment import Deployment

KINDS = ("bought_together", "bought_after_view")


def sold(deployment: Deployment, seed: int) -> Shop:
    """Sell 3,000 acts at once."""
    with selling(deployment, synthetic(seed, events=3_000), rate=3_000) as shop:
        shop.join()
    return shop


def refused(deployment: Deployment, **settings: str) -> str:
    """Start a worker with other settings, which must end; return its last line."""
    one = deployment.idle_worker("other", **settings)
    one.launch()
    assert one.wait(60) in {1, 2}
    last = one.output.splitlines()[-1]
    assert last.startswith("streamapp: "), last
    return last


@pytest.mark.ci(reason="settings that change counts")
def test_what_changes_counts_is_refused_with_what_to_do(deployment: Deployment) -> None:
    """Weights, cap, and how events are read; the state is untouched, and the old settings work."""
    name = deployment.name
    shop = sold(deployment, seed=61)
    one = deployment.worker(instance_id="one")
    exact(deployment, shop.sold)
    assert one.terminate() == 0
    changes: list[tuple[str, str]] = [
        ("history_cap", "50"),
        ("event_weights", "click=1,add_to_cart=3,purchase=6"),
        ("topic_types", f"{name}-clicks=purchase,{name}-purchases=purchase"),
        ("event_aliases", "seen=click"),
        ("event_topics", f"{name}-clicks"),
    ]
    for setting, value in changes:
        last = refused(deployment, instance_id="one", **{setting: value})
        assert setting.upper() in last
        assert "streamapp rebuild" in last
    more = sold(deployment, seed=62)
    one.start()
    exact(deployment, [*shop.sold, *more.sold])


@pytest.mark.full
def test_another_topic_is_counted_from_its_first_record(deployment: Deployment) -> None:
    """A topic is added to the others: counts stay, and no event of the new topic is left out."""
    both = dict(deployment.env)
    shop = sold(deployment, seed=64)
    deployment.env["STREAMAPP_EVENT_TOPICS"] = f"{deployment.name}-clicks"
    deployment.env["STREAMAPP_TOPIC_TYPES"] = f"{deployment.name}-clicks=click"
    one = deployment.worker()
    exact(deployment, [act for act in shop.sold if act.type != "purchase"])
    assert one.terminate() == 0
    deployment.env |= both
    deployment.worker("other")
    exact(deployment, shop.sold)


@pytest.mark.ci(reason="settings that change lists")
def test_another_rule_of_lists_publishes_every_list_again(deployment: Deployment) -> None:
    """Shorter, damped, of more users, by Jaccard: counts stay, each list gets a higher `seq`."""
    shop = sold(deployment, seed=63)
    one = deployment.worker(instance_id="one")
    exact(deployment, shop.sold)
    before = redis_lists(deployment)
    assert one.terminate() == 0
    deployment.env |= {
        "STREAMAPP_TOP_N": "5", "STREAMAPP_DAMPING": "10", "STREAMAPP_MIN_SUPPORT": "2",
        "STREAMAPP_MEASURE": "jaccard",
    }  # fmt: skip
    deployment.worker("other", instance_id="one")
    exact(deployment, shop.sold)
    after = redis_lists(deployment)
    assert after
    assert all(seq(after[key]) > seq(before[key]) for key in after)


@pytest.mark.ci(reason="a setting that changes lists")
def test_a_lower_tolerance_publishes_every_list_again(deployment: Deployment) -> None:
    """Lists are then exact to the new one; a higher one leaves them as they are."""
    shop = sold(deployment, seed=65)
    deployment.env["STREAMAPP_LIST_TOLERANCE"] = "0.3"
    one = deployment.worker(instance_id="one")
    exact(deployment, shop.sold)
    loose = redis_lists(deployment)
    assert one.terminate() == 0
    deployment.env["STREAMAPP_LIST_TOLERANCE"] = "0"
    two = deployment.worker("two", instance_id="one")
    exact(deployment, shop.sold)
    strict = redis_lists(deployment)
    items = [key for key in strict if key.startswith("item:")]
    assert items
    assert all(seq(strict[key]) > seq(loose[key]) for key in items)
    assert two.terminate() == 0
    deployment.env["STREAMAPP_LIST_TOLERANCE"] = "0.01"
    deployment.worker("three", instance_id="one")
    exact(deployment, shop.sold)
    after = redis_lists(deployment)
    assert all(after[key] == strict[key] for key in items)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(KINDS[0], marks=pytest.mark.full),
        pytest.param(KINDS[1], marks=pytest.mark.ci(reason="a kind is switched on")),
    ],
)
def test_a_kind_of_lists_is_switched_on_by_a_rebuild_and_never_silently(
    deployment: Deployment, kind: str
) -> None:
    """The state has no such events: the new setting is refused, and the old one afterwards."""
    shop = sold(deployment, seed=65)
    one = deployment.worker()
    exact(deployment, shop.sold)
    last = refused(deployment, **{kind: "true"})
    assert f"STREAMAPP_{kind.upper()} is true" in last
    assert "streamapp rebuild" in last

    assert one.running
    assert one.terminate() == 0
    deployment.env[f"STREAMAPP_{kind.upper()}"] = "true"
    rebuilt(deployment)
    last = refused(deployment, **{kind: "false"})
    assert f"STREAMAPP_{kind.upper()} is false" in last
    deployment.worker("both")
    report = exact(deployment, shop.sold)
    assert report["compared"][f"{kind} lists"] == len(lists_of(deployment, kind)) > 0


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_lists_is_switched_off_by_a_rebuild_that_withdraws_it(
    deployment: Deployment, kind: str
) -> None:
    """Events would be left out: refused; and lists that come back have a later `seq`."""
    deployment.env[f"STREAMAPP_{kind.upper()}"] = "true"
    shop = sold(deployment, seed=66)
    both = deployment.worker("both")
    exact(deployment, shop.sold)
    last = refused(deployment, **{kind: "false"})
    assert f"STREAMAPP_{kind.upper()} is false" in last
    assert "streamapp rebuild" in last
    assert both.running
    before = lists_of(deployment, kind)
    assert both.terminate() == 0

    deployment.env[f"STREAMAPP_{kind.upper()}"] = "false"
    rebuilt(deployment)
    assert before
    assert not lists_of(deployment, kind)
    one = deployment.worker("one")
    report = exact(deployment, shop.sold)
    assert f"{kind} lists" not in report["compared"]
    assert one.terminate() == 0

    deployment.env[f"STREAMAPP_{kind.upper()}"] = "true"
    rebuilt(deployment)
    both.start()
    exact(deployment, shop.sold)
    after = lists_of(deployment, kind)
    assert after.keys() == before.keys()
    assert all(seq(after[key]) > seq(before[key]) for key in after)


def lists_of(deployment: Deployment, kind: str) -> dict[str, bytes]:
    """Return the lists of a kind."""
    found = redis_lists(deployment)
    return {key: value for key, value in found.items() if key.startswith(f"{kind}:")}


def seq(value: bytes) -> int:
    """Return the `seq` of a list."""
    found: dict[str, Any] = orjson.loads(value)
    return int(found["seq"])
