"""Bad input: each kind becomes a dead letter with its own code, and everything else counts."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest
from aiokafka.errors import MessageSizeTooLargeError

from tests.integration.traffic import (
    Act,
    Sent,
    audited,
    event,
    produce,
    read_topic,
    succeeded,
    synthetic,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

GOOD = [Act(f"u{number % 7}", f"i{number % 11}", "click", 1.7e9 + number) for number in range(60)]

BAD: dict[str, list[Sent]] = {
    "not_json": [Sent(b'{"user_id": ', b"u1"), Sent(b"", b"u1")],
    "not_utf8": [Sent(b'{"user_id": "\xff\xfe", "item_id": "i"}', b"u1")],
    "null_value": [Sent(None, b"u1")],
    "missing_id": [Sent(b'{"user_id": "u1"}', b"u1"), event("u1", "")],
    "id_too_long": [event("u1", "i" * 513)],
    "not_finite": [Sent(b'{"user_id": "u1", "item_id": "i1", "ts": NaN}', b"u1")],
    "ts_out_of_range": [event("u1", "i1", ts=60), event("u1", "i1", ts="9999-12-31T00:00:00Z")],
    "invalid_ts": [event("u1", "i1", ts="soon")],
    "too_deep": [Sent(b'{"user_id": "u1", "x": ' + b"[" * 10_000, b"u1")],
    "schema_registry_frame": [Sent(b"\0\0\0\0\x2a" + b"{}", b"u1")],
    "key_mismatch": [
        event("u1", "i1")._replace(key=b"someone else"),
        event("u1", "i1")._replace(key=None),
    ],
    "not_an_event": [Sent(b'"hello"', b"u1"), Sent(b"17", b"u1")],
    "invalid_id": [event("u1", "i1", item_id=[1])],
    "invalid_type": [event("u1", "i1", type=7)],
}  # fmt: skip


def dead_letters(deployment: Deployment) -> int:
    """Return how many dead letters the status counts."""
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    return int(status["dead_letters"])


async def test_each_kind_of_bad_record_is_set_aside_with_its_code_and_the_rest_is_exact(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Bad records between good ones: byte for byte on the dead-letter topic, counts untouched."""
    worker()
    good = [event(act.user, act.item, type=act.type, ts=act.ts) for act in GOOD]
    bad = [(code, record) for code, records in BAD.items() for record in records]
    mixed = [record for place, one in enumerate(good) for record in (
        [one, bad[place][1]] if place < len(bad) else [one])]  # fmt: skip
    await produce(deployment, mixed)
    log = write_log(tmp_path / "good.csv", GOOD)
    await asyncio.to_thread(audited, deployment, [log])

    assert dead_letters(deployment) == len(bad)
    letters = await read_topic(deployment, f"{deployment.name}-clicks.dlq")
    headers = [dict(letter.headers) for letter in letters]
    got = sorted(
        (about["error.code"].decode(), letter.value or b"", letter.key or b"")
        for about, letter in zip(headers, letters, strict=True)
    )
    assert got == sorted((code, one.value or b"", one.key or b"") for code, one in bad)
    for about, letter in zip(headers, letters, strict=True):
        assert about["source.topic"] == f"{deployment.name}-clicks".encode()
        assert int(about["source.partition"]) == letter.partition
        assert int(about["source.offset"]) >= 0
        assert int(about["source.timestamp"]) > 1_600_000_000_000
        assert about["error.message"]
        assert about["app.version"]


def counted(deployment: Deployment) -> tuple[int, int]:
    """Return how many events were applied, and how many pairs of items are stored."""
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    return status["applied_events"], status["pairs"]


async def test_one_bad_element_of_an_array_is_set_aside_alone(
    deployment: Deployment, worker: StartWorker
) -> None:
    """The other elements count; the bad one becomes a dead letter byte for byte."""
    worker()
    bad = b'{"user_id": "u1" ,"item_id":""}'
    raw = b'[{"user_id":"u1","item_id":"a"}, %s,{"user_id":"u1","item_id":"b"}]' % bad
    await produce(deployment, [Sent(raw, b"u1")])
    await asyncio.to_thread(
        wait_until, lambda: dead_letters(deployment) == 1, 30, lambda: "one dead letter is counted"
    )
    (letter,) = await read_topic(deployment, f"{deployment.name}-clicks.dlq")
    assert letter.value == bad
    # Pairs are those of stored rows.
    await asyncio.to_thread(
        wait_until, lambda: counted(deployment) == (2, 1), 30, lambda: "both elements are counted"
    )


@pytest.mark.kafka
async def test_a_record_of_two_megabytes_is_set_aside_where_the_broker_takes_it(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A large record neither stops the worker nor disturbs the counts."""
    worker()
    large = event("u1", "i1", padding="x" * 2_000_000)
    refused = False
    try:
        await produce(deployment, [large])
    except MessageSizeTooLargeError:
        refused = True
    acts = list(synthetic(seed=3, events=500))
    await produce(deployment, [event(a.user, a.item, type=a.type, ts=a.ts) for a in acts])
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
    assert dead_letters(deployment) == (0 if refused else 1)


@pytest.mark.full
async def test_fifty_thousand_bad_records_leave_memory_flat_and_good_ones_exact(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A bad deploy of a tracker fills the dead letters and nothing else."""
    one = worker()
    storm = [Sent(b'{"user_id": "u%d", "item_id": ' % number, b"u1") for number in range(50_000)]
    await produce(deployment, storm[:10_000])
    await asyncio.to_thread(
        wait_until, lambda: dead_letters(deployment) == 10_000, 120, lambda: "10,000 dead letters"
    )
    before = psutil.Process(one.pid).memory_info().rss
    acts = list(synthetic(seed=5, events=300))
    good = [event(act.user, act.item, type=act.type, ts=act.ts) for act in acts]
    await produce(deployment, [*storm[10_000:], *good])
    await asyncio.to_thread(
        wait_until, lambda: dead_letters(deployment) == 50_000, 240, lambda: "50,000 dead letters"
    )
    assert psutil.Process(one.pid).memory_info().rss < before + 64 * 1024 * 1024
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
