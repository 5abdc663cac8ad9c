"""Writes what topics and heads hold after a run that failed, so that the cause can be found."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson

from streamapp.cli.reports.lag import read_lag
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from tests.integration.traffic import read_topic
from tests.servers.deployment import Deployment


async def keep_evidence(deployment: Deployment, topics: Iterable[str]) -> None:
    """Write `<topic>.jsonl` for every topic, values as hexadecimal digits, and `heads.json`."""
    settings = deployment.settings
    short = (*topics, *(f"{name}.dlq" for name in topics), "interactions", "deltas", "lists")
    for name in short:
        with (deployment.folder / f"{name}.jsonl").open("wb") as file:
            for record in await read_topic(deployment, f"{deployment.name}-{name}"):
                line = {
                    "partition": record.partition,
                    "offset": record.offset,
                    "timestamp": record.timestamp,
                    "headers": {key: value.decode() for key, value in record.headers},
                    "value": None if record.value is None else record.value.hex(),
                }
                file.write(orjson.dumps(line) + b"\n")
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        lag = await read_lag(redis, settings, layout)
    heads = {f"{tp.topic}/{tp.partition}": asdict(head) for tp, head in lag.heads.items() if head}
    (deployment.folder / "heads.json").write_bytes(orjson.dumps(heads, default=_plain))


def _plain(value: Any) -> Any:
    """Return the JSON form of bytes and named tuples."""
    return value.decode(errors="replace") if isinstance(value, bytes) else list(value)
