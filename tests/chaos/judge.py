"""Compares the output of the app with the topics after a run.

The event topics are the truth, because a producer without an answer sends again. The judge makes
from them the event log for `streamapp audit`, and the dead letters that must exist.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka import ConsumerRecord

from streamapp.cli.reports.lag import read_lag
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.store.slot.head import HistoriesHead, ShardHead
from streamapp.store.values.hidden_items import read_hidden
from tests.chaos.shop import CATALOGUE, LETTER, NUMBER
from tests.integration.traffic import read_topic, redis_lists, topic_as_keys
from tests.servers.deployment import Deployment

_DRAIN_S = 240
_AUDIT_S = 360.0
_SHOWN = 5


class _Letter(NamedTuple):
    """The part of a dead letter that is known in advance."""

    code: str
    topic: str
    partition: int
    offset: int
    number: bytes
    key: bytes | None
    value: bytes | None


@dataclass
class Verdict:
    """The findings of the judge.

    Attributes:
        differences: Number of differences.
        examples: Some of them as text.
        figures: Numbers by name.
    """

    differences: int = 0
    examples: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def differ(self, what: str, wrong: Iterable[object]) -> None:
        """Record the differences of one kind, if any."""
        every = list(wrong)
        self.differences += len(every)
        self.examples += [f"{what}: {one}" for one in every[:_SHOWN]]

    def compare(self, what: str, found: int, expected: int) -> None:
        """Record a number, and whether it is as expected."""
        self.figures[what] = found
        if found != expected:
            self.differ(what, [f"{found}, expected {expected}"])


async def judge(deployment: Deployment, topics: Iterable[str], sent: int) -> Verdict:
    """Wait until the app is drained, and compare everything.

    Args:
        deployment: The deployment of the run.
        topics: Topics that the shop writes to by their short names.
        sent: How many records the broker has acknowledged, numbered from 0.
    """
    verdict, letters, numbers = Verdict(), list[_Letter](), set[int]()
    available: dict[str, bool] = {}
    log = deployment.folder / "events.jsonl"
    with log.open("wb") as file:
        for topic in topics:
            for record in await read_topic(deployment, f"{deployment.name}-{topic}"):
                headers = dict(record.headers)
                numbers.add(int(headers[NUMBER]))
                letters += _letters(record, headers)
                if topic == CATALOGUE:
                    available[record.key.decode()] = _is_available(record.value)
                elif LETTER not in headers:
                    file.write(record.value + b"\n")
    verdict.figures["records"] = sent
    verdict.differ("acknowledged, but not in its topic", sorted(set(range(sent)) - numbers))
    report = await _audit(deployment, log, verdict)
    if report is not None:
        await _compare_counters(deployment, report, len(letters), verdict)
        await _compare_letters(deployment, topics, set(letters), verdict)
        hidden = {item for item, is_so in available.items() if not is_so}
        await _compare_hidden(deployment, hidden, verdict)
        await _compare_lists(deployment, verdict)
    return verdict


def _letters(record: ConsumerRecord, headers: dict[str, bytes]) -> Iterator[_Letter]:
    """Yield the dead letters that a record must become, whole or in part."""

    def letter(code: str, value: bytes | None) -> _Letter:
        return _Letter(code, record.topic, record.partition, record.offset, headers[NUMBER],
                       record.key, value)  # fmt: skip

    if LETTER in headers:
        yield letter(headers[LETTER].decode(), record.value)
        return
    content = orjson.loads(record.value or b"null")
    for event in content if isinstance(content, list) else []:
        if not event["item_id"]:
            yield letter("missing_id", orjson.dumps(event))


async def _audit(deployment: Deployment, log: Path, verdict: Verdict) -> dict[str, Any] | None:
    """Audit the log; return the report, or None if the app does not drain."""
    arguments = ("audit", "--log", str(log), "--json", "--timeout", str(_DRAIN_S))
    done = await asyncio.to_thread(
        deployment.run, "streamapp", *arguments, within_s=_DRAIN_S + _AUDIT_S
    )
    if done.returncode not in {0, 1} or not done.stdout:
        verdict.differ("audit", [done.stderr.strip()])
        return None
    report: dict[str, Any] = orjson.loads(done.stdout)
    verdict.differences += report["differences"]
    verdict.examples += [f"audit: {example}" for example in report["examples"]]
    return report


async def _compare_counters(
    deployment: Deployment, report: dict[str, Any], dead: int, verdict: Verdict
) -> None:
    settings = deployment.settings
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        lag = await read_lag(redis, settings, layout)
    histories = lag.of(HistoriesHead, settings.interactions_topic)
    rows = lag.of(ShardHead, settings.deltas_topic)
    applied = sum(head.applied for head in histories)
    verdict.compare("applied", applied, report["interactions"])
    verdict.compare("dead letters", sum(head.dead for head in histories), dead)
    for name, expected in report["skipped"].items():
        found = sum(head.skipped.get(name, 0) for head in histories)
        verdict.compare(f"skipped, type {name}", found, expected)
    verdict.figures["replayed events"] = sum(head.replayed for head in histories)
    verdict.figures["replayed deltas"] = sum(head.replayed for head in rows)


async def _compare_letters(
    deployment: Deployment, topics: Iterable[str], expected: set[_Letter], verdict: Verdict
) -> None:
    found: set[_Letter] = set()
    for topic in topics:
        for record in await read_topic(deployment, f"{deployment.name}-{topic}.dlq"):
            about = dict(record.headers)
            source = about["source.topic"], about["source.partition"], about["source.offset"]
            name, partition, offset = (text.decode() for text in source)
            code = about["error.code"].decode()
            found.add(_Letter(code, name, int(partition), int(offset), about[NUMBER],
                              record.key, record.value))  # fmt: skip
    verdict.differ("no dead letter", sorted(expected - found, key=str))
    verdict.differ("a dead letter of nothing", sorted(found - expected, key=str))


def _is_available(product: bytes | None) -> bool:
    """Apply a catalogue record to an item; a record without a value deletes it."""
    return product is not None and bool(orjson.loads(product).get("available", True))


async def _compare_hidden(deployment: Deployment, expected: set[str], verdict: Verdict) -> None:
    settings = deployment.settings
    async with redis_session(settings) as redis:
        layout = await existing_partitions(settings, state_topics(settings))
        hidden = await read_hidden(redis, settings.state_prefix, layout[settings.deltas_topic])
    verdict.figures["hidden items"] = len(hidden.items)
    verdict.differ("not hidden", sorted(expected - set(hidden.items)))
    verdict.differ("hidden, but available", sorted(set(hidden.items) - expected))
    verdict.differ("hidden by some shards only", sorted(hidden.disputed))


async def _compare_lists(deployment: Deployment, verdict: Verdict) -> None:
    topic, keys = await topic_as_keys(deployment), redis_lists(deployment)
    verdict.figures["lists"] = len(keys)
    wrong = sorted(key for key in {*topic, *keys} if topic.get(key) != keys.get(key))
    verdict.differ(
        "list", [f"{key}: topic {topic.get(key)!r}, redis {keys.get(key)!r}" for key in wrong]
    )
