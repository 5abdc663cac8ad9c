"""The contest: rivals of the app, each a fresh process on the same full topic."""

from importlib.util import find_spec
from typing import Any

from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.source import Source
from streamapp.config.rules import event_rules
from streamapp.errors import ConfigError, StreamappError

RIVALS = {
    "empty-agent": "a Faust agent that does nothing",
    "plain-consumer": "aiokafka and orjson, decoding only",
    "naive": "a Faust agent, one event at a time",
    "quix": "the same job on Quix Streams",
    "rebuild": "everything from scratch with scipy, periodically",
}
"""The description of each, by name."""
SLOW = {"naive", "quix"}
"""Those that read only the first events of the log."""


def check_rivals() -> None:
    """Refuse a contest without a rival before the work, because rivals run after the app.

    Raises:
        ConfigError: a rival needs a package that is not installed.
    """
    if find_spec("quixstreams") is None:
        raise ConfigError(
            "the rival quix of throughput needs quixstreams: run `make bench`, install the group "
            "`bench`, or name other scenarios"
        )


def compete(
    bench: Bench, env: BenchEnv, source: Source, records: int, name: str, number: int
) -> dict[str, Any]:
    """Let a rival read the full event topic once; return its figures.

    Args:
        bench: For the options.
        env: The environment with the full event topic.
        source: The events of the topic.
        records: How many records it holds.
        name: One of `RIVALS`.
        number: Number of the run, from 0.

    Raises:
        StreamappError: the rival ends without an answer or takes too long, or there is too little
            to read.
    """
    bench.begin(f"{name}, run {number + 1} of {bench.repeats}")
    run = f"{name}{number}"
    settings = env.settings(run)
    asked = {
        "broker_url": env.broker_url,
        "redis_url": env.redis_url,
        "topic": env.topic,
        "group": f"{env.name}-{run}",
        "records": records,
        "events": min(bench.slow_events, source.events) if name in SLOW else source.events,
        "weights": {
            alias: settings.event_weights[kind]
            for alias, kind in event_rules(settings).types.items()
            if kind in settings.event_weights
        },
        "arrays": bench.events_per_record > 1,
        "files": [str(file.resolve()) for file in source.files],
    }
    module = f"loadtest.bench.rivals.{name.replace('-', '_')}"
    rival = env.program(run, module, asked, env.cpus.of(0))
    try:
        found: dict[str, Any] = rival.hear(bench.timeout_s)
    finally:
        rival.kill()
    env.clear(run)
    if name == "empty-agent":
        found["events"] = round(found["events"] * source.events / records)
    if not found["events"]:
        raise StreamappError(f"{name}: the log is too small, all of it came in one batch")
    found["events_per_s"] = found["events"] / found["elapsed_s"]
    found["cpu_us_per_event"] = found.pop("cpu_s") / found["events"] * 1e6
    return found
