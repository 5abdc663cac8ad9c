"""Files of three formats are imported: the audit of the same events finds no difference."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pyarrow as pa
from pyarrow import parquet

from tests.integration.traffic import (
    Act,
    audited,
    read_topic,
    succeeded,
    synthetic,
    write_log,
)
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]


def as_parquet(path: Path, acts: Sequence[Act]) -> Path:
    """Write events as Parquet, with times of its own type."""
    users, items, types, times, orders = zip(*acts, strict=True)
    table = pa.table({
        "user_id": users, "item_id": items, "type": pa.array(types).dictionary_encode(),
        "ts": pa.array([int(ts * 1000) for ts in times], pa.timestamp("ms")), "order_id": orders,
    })  # fmt: skip
    parquet.write_table(table, path, row_group_size=1_000)
    return path


def as_json_lines(path: Path, acts: Sequence[Act]) -> Path:
    """Write events as JSON lines."""
    names = ("user_id", "item_id", "type", "ts", "order_id")
    lines = (orjson.dumps(dict(zip(names, act, strict=True))) for act in acts)
    path.write_bytes(b"\n".join(lines))
    return path


def test_files_of_three_formats_are_counted_exactly(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A dry run sends nothing; an import sends each event once, to the partition of its user."""
    acts = list(synthetic(seed=47, events=6_000, orders=3))
    files = [
        write_log(tmp_path / "a.csv", acts[:2_000]),
        as_parquet(tmp_path / "b.parquet", acts[2_000:4_000]),
        as_json_lines(tmp_path / "c.jsonl", acts[4_000:]),
    ]
    worker()
    names = [str(file) for file in files]
    dry = orjson.loads(succeeded(deployment, "streamapp", "import", *names, "--dry-run", "--json"))
    assert (dry["lines"], dry["counted"], dry["sent"]) == (6_000, 6_000, {})
    topics = [f"{deployment.name}-clicks", f"{deployment.name}-purchases"]
    assert not [record for topic in topics for record in asyncio.run(read_topic(deployment, topic))]

    report = orjson.loads(succeeded(deployment, "streamapp", "import", *names, "--json"))
    assert sum(report["sent"].values()) == 6_000
    log = write_log(tmp_path / "all.csv", acts)
    assert audited(deployment, [log])["applied_events"] == 6_000
    clicks, purchases = (asyncio.run(read_topic(deployment, topic)) for topic in topics)
    assert {orjson.loads(one.value)["type"] for one in purchases} == {"purchase"}
    places = {(one.key, one.partition) for one in clicks}
    assert len(places) == len({key for key, _ in places})
