"""`streamapp catalogue` on a topic in memory: what is sent, what is said, and what is refused."""

import sys
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner

from streamapp.cli import catalogue
from streamapp.cli.main import app
from streamapp.cli.terminal.outcome import run
from streamapp.config.loader import load_settings
from streamapp.core.events.catalogue_record import Entry, read_entry
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets
from streamapp.transport.topic_scan import Span

PARTITIONS = [0, 1, 2]


@dataclass
class Stored:
    """A record of the topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Kafka:
    """The topic, to which producers send.

    Attributes:
        partitions: The records of each partition.
        started: How many producers were started.
        running: How many of them were not stopped.
    """

    def __init__(self) -> None:
        self.partitions: list[list[Stored]] = [[] for _ in PARTITIONS]
        self.started = self.running = 0

    async def scan(
        self, _: Any, spans: Sequence[Span]
    ) -> AsyncGenerator[tuple[Span, list[Stored], int], None]:
        """Yield the records of each partition."""
        for span in spans:
            if span.start < span.end:
                yield span, self.partitions[span.tp.partition][: span.end], span.end

    async def offsets(self, _: Any, tps: Iterable[TP], __: Any) -> dict[TP, Offsets]:
        """Return where partitions begin and end."""
        return {tp: Offsets(0, len(self.partitions[tp.partition]), None) for tp in tps}

    async def counts(self, _: Any, topics: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions."""
        return {topic: len(PARTITIONS) for topic in topics}

    def producer(self, _: Any) -> "Kafka":
        """Return a producer."""
        return self

    async def start(self) -> None:
        """Connect."""
        self.started += 1
        self.running += 1

    async def stop(self) -> None:
        """Disconnect."""
        self.running -= 1

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        """Append records."""
        for (topic, number), some in messages.items():
            assert topic == "items"
            for one in some:
                place = len(self.partitions[number])
                self.partitions[number].append(Stored(place, 0, one.key, one.value))

    def last(self) -> dict[str, Any]:
        """Return the value of the last record of each item; every record is one that is read."""
        found = {}
        for records in self.partitions:
            for record in records:
                assert isinstance(read_entry(record, 1_000_000), Entry)
                assert record.key is not None
                found[record.key.decode()] = orjson.loads(record.value or b"null")
        return found

    def size(self) -> int:
        """Return the number of records."""
        return sum(map(len, self.partitions))


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kafka:
    """Replace Kafka, and load the settings again, away from any `.env` file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMAPP_CATALOGUE_TOPIC", "items")
    load_settings.cache_clear()
    made = Kafka()
    monkeypatch.setattr(catalogue, "scan", made.scan)
    monkeypatch.setattr(catalogue, "read_offsets", made.offsets)
    monkeypatch.setattr(catalogue, "existing_partitions", made.counts)
    monkeypatch.setattr(catalogue, "Producer", made.producer)
    return made


class Ended(NamedTuple):
    """How a command ended."""

    code: Any
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """What it says to programs."""
        found: dict[str, Any] = orjson.loads(self.out)
        return found


class Command:
    """Runs the command on a feed in CSV."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._said = said

    def __call__(self, content: str, *arguments: str) -> Ended:
        """Write a feed and run the command on it."""
        Path("feed.csv").write_text(content)
        command = ["streamapp", "catalogue", "feed.csv", "--format", "csv", *arguments]
        self._monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as caught:
            run(app, "streamapp")
        out, err = self._said.readouterr()
        return Ended(caught.value.code, out, err)


@pytest.fixture
def command(
    kafka: Kafka,  # noqa: ARG001 - it is in place before the command
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Return the command."""
    return Command(monkeypatch, capfd)


def feed(*items: str, available: str = "true") -> str:
    """Return a feed of items."""
    lines = [f"{item},The {item},gear,{available}" for item in items]
    return "\n".join(["id,title,category,availability", *lines, ""])


ITEMS = [f"item-{number}" for number in range(10)]


def test_only_what_differs_is_sent(kafka: Kafka, command: Command) -> None:
    """A second run sends nothing and starts no producer."""
    first = command(feed(*ITEMS), "--json").report
    assert (first["items"], first["new"], first["sent"]) == (10, 10, 10)
    assert kafka.last()["item-3"] == {
        "item_id": "item-3", "title": "The item-3", "category": "gear", "available": True,
    }  # fmt: skip
    again = command(feed(*ITEMS), "--json").report
    assert (again["unchanged"], again["sent"], again["refusal"]) == (10, 0, None)
    assert (kafka.size(), kafka.started, kafka.running) == (10, 1, 0)

    changed = feed(*ITEMS[:8]) + "new,,,\n" + "item-0,The item-0,gear,sold out\n"
    report = command(changed, "--json").report
    assert [report[name] for name in ("new", "changed", "gone", "unchanged", "sent")] == [
        1, 1, 2, 7, 4,
    ]  # fmt: skip
    last = kafka.last()
    assert last["new"] == {"item_id": "new", "available": True}
    assert last["item-9"] == {
        "item_id": "item-9", "title": "The item-9", "category": "gear", "available": False,
    }  # fmt: skip
    assert {item for item, one in last.items() if not one["available"]} == {
        "item-0", "item-8", "item-9",
    }  # fmt: skip


def test_records_go_to_the_partitions_that_other_clients_choose(
    kafka: Kafka, command: Command
) -> None:
    """So that the records of an item stay in order."""
    assert not command(feed(*ITEMS)).code
    partition_of = DefaultPartitioner()
    for number, records in enumerate(kafka.partitions):
        assert records
        assert {partition_of(one.key, PARTITIONS, PARTITIONS) for one in records} == {number}


def test_more_than_one_bundle_is_sent(
    kafka: Kafka, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one may be smaller."""
    monkeypatch.setattr(catalogue, "_BUNDLE", 4)
    assert command(feed(*ITEMS), "--json").report["sent"] == 10
    assert sorted(kafka.last()) == ITEMS


def test_a_feed_that_has_shrunk_is_refused_without_force(kafka: Kafka, command: Command) -> None:
    """The report says what would have happened, also to a dry run."""
    command(feed(*ITEMS))
    for arguments in ((), ("--dry-run",)):
        ended = command(feed(*ITEMS[:6]), *arguments)
        assert ended.code == 1
        assert "gone, now unavailable" in ended.out
        assert "nothing was sent" in ended.out
        assert ended.err == (
            "streamapp: feed.csv: 4 of 10 available items are missing, more than 30 %; "
            "nothing was sent; if that is right, use --force\n"
        )
    ended = command(feed(*ITEMS[:6]), "--json")
    assert (ended.code, ended.report["gone"], ended.report["sent"]) == (1, 4, 0)
    assert "more than 30 %" in ended.report["refusal"]
    assert kafka.size() == 10
    assert command(feed(*ITEMS[:6]), "--force", "--json").report["sent"] == 4
    # Six of six are left, so the same feed has not shrunk any more.
    assert not command(feed(*ITEMS[:6])).code


@pytest.mark.parametrize("content", ["", "id\n", "id,title\n,Tent\n"])
def test_a_feed_without_items_is_refused_without_force(
    kafka: Kafka, command: Command, content: str
) -> None:
    """Also for an empty topic."""
    ended = command(content)
    assert ended.code == 1
    assert "feed.csv: the feed has no item that can be used; nothing was sent" in ended.err
    assert ended.err.count("\n") == 1
    command(feed(*ITEMS))
    assert command(content, "--force", "--json").report["gone"] == 10
    assert not any(one["available"] for one in kafka.last().values())


def test_a_dry_run_sends_nothing_and_says_what_differs(kafka: Kafka, command: Command) -> None:
    """With the first example of each refusal, and unknown words."""
    ended = command(feed("a", "b", available="soon") + ",Tent,,\n,Stove,,\nc\n", "--dry-run")
    assert not ended.code
    assert "2 items of the feed, nothing was sent" in ended.out
    assert "available, by the unknown word 'soon'" in ended.out
    assert "refused, missing_id" in ended.out
    assert ended.out.count("first refused") == 2
    assert "first refused, line 4: item_id is missing or empty: " in ended.out
    assert "first refused, line 6: 1 fields, not 4: c" in ended.out
    assert (kafka.started, kafka.size()) == (0, 0)


def test_a_feed_that_is_malformed_at_its_end_is_not_begun(kafka: Kafka, command: Command) -> None:
    """Nothing is sent before the whole feed was read."""
    ended = command(feed(*ITEMS) + 'x,"Tent,,\n')
    assert ended.code == 2
    assert ended.err.startswith("streamapp: feed.csv, line 12: ")
    assert (kafka.started, kafka.size()) == (0, 0)


def test_what_a_worker_refuses_on_the_topic_changes_nothing(kafka: Kafka, command: Command) -> None:
    """Records of others may be malformed, and deleted items come back."""
    command(feed(*ITEMS))
    for records in kafka.partitions:
        key = records[0].key
        records += [Stored(90, 0, key, b"{"), Stored(91, 0, b"\xff", b"{}")]
    kafka.partitions[0].append(Stored(92, 0, kafka.partitions[0][0].key, None))
    report = command(feed(*ITEMS), "--json").report
    assert (report["new"], report["unchanged"], report["changed"]) == (1, 9, 0)


@pytest.mark.parametrize(("arguments", "message"), [
    (("--format", "xml"), "--format xml: one of google, shopify, csv, jsonl is needed"),
    ((), "Missing option '--format'"),
])  # fmt: skip
@pytest.mark.usefixtures("kafka")
def test_a_format_must_be_named(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    """A name that ends in .csv may be an export of a shop."""
    monkeypatch.setattr(sys, "argv", ["streamapp", "catalogue", "feed.csv", *arguments])
    with pytest.raises(SystemExit) as caught:
        run(app, "streamapp")
    assert caught.value.code == 2
    assert message in capfd.readouterr().err


def test_without_a_catalogue_the_message_names_the_setting(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before the feed is opened."""
    monkeypatch.delenv("STREAMAPP_CATALOGUE_TOPIC")
    load_settings.cache_clear()
    ended = command(feed("a"))
    assert ended.code == 2
    assert "STREAMAPP_CATALOGUE_TOPIC names no topic" in ended.err
    assert ended.err.count("\n") == 1
