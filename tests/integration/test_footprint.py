"""`streamapp footprint` predicts the memory that Redis takes."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from loadtest.bench.footprint import measure
from tests.integration.traffic import audited, succeeded, synthetic, write_log
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_LEAST, _MOST = 0.9, 1.4
"""Bounds of predicted / measured: Valkey takes up to a third less than Redis."""

_OF_EACH_PARTITION = {
    "registries": "items",
    "norms": "norms",
    "popularity": "popularity",
    "norm feeds": "norm feeds",
    "heads": "heads",
}
"""Predicted and measured classes of what every partition keeps, whatever its share of the items."""


@pytest.mark.kafka
@pytest.mark.full
@pytest.mark.parametrize("partitions", [4, 32])
def test_the_prediction_is_near_what_redis_takes(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path, partitions: int
) -> None:
    """For the state in Redis, and for the same numbers given by hand."""
    deployment.env["STREAMAPP_PARTITIONS"] = str(partitions)
    worker()
    log = write_log(tmp_path / "log.csv", synthetic(8, 20_000, users=3_000, items=900))
    succeeded(
        deployment, "loadtest", "replay", str(log), "--max", "--topic", f"{deployment.name}-clicks"
    )
    audited(deployment, [log])
    predicted = orjson.loads(succeeded(deployment, "streamapp", "footprint", "--json"))
    settings = deployment.settings
    with deployment.redis() as redis:
        taken = measure(redis, deployment.name, settings.list_prefix, settings.state_prefix)

    for name in ("histories", "rows", "lists", "user lists"):
        assert predicted[name]["keys"] == pytest.approx(taken[name]["keys"], rel=0.05)
        assert _LEAST < predicted[name]["bytes"] / taken[name]["bytes"] < _MOST
    ratio = predicted["audiences"]["bytes"] / taken["audiences"]["bytes"]
    # Redis packs a hash of up to 512 short entries; Valkey keeps a short field and its value in the
    # entry itself.
    is_packed = predicted["live"] <= 512 * partitions
    assert _LEAST < ratio < (5 if is_packed else 2) * _MOST
    for name, measured in _OF_EACH_PARTITION.items():
        assert predicted[name]["keys"] == taken[measured]["keys"]
        # A string that grows may have as much to spare as it holds, or nothing.
        assert _LEAST < predicted[name]["bytes"] / taken[measured]["bytes"] < 2 * _MOST, name
    options = {name: predicted[name] for name in ("users", "items", "pairs", "history", "live")}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    again = succeeded(deployment, "streamapp", "footprint", "--json", *arguments)
    assert orjson.loads(again) == predicted
    more = succeeded(deployment, "streamapp", "footprint", "--json", "--partitions", "64")
    assert orjson.loads(more)["partitions"] == 64
    assert orjson.loads(more)["rows"] == predicted["rows"]
    for name in _OF_EACH_PARTITION:
        assert orjson.loads(more)[name]["bytes"] > predicted[name]["bytes"]


def test_half_of_the_numbers_is_no_size(deployment: Deployment) -> None:
    """It says which options belong together."""
    done = deployment.run("streamapp", "footprint", "--users", "5")
    assert done.returncode == 2
    assert "give --users, --items and --pairs, or none of them" in done.stderr
