"""The commands on dead letters, on topics in memory."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamapp.cli.deadletters import letter_store, replaying
from streamapp.cli.deadletters.listing import list_letters
from streamapp.cli.deadletters.replaying import Replay, replay_letters
from streamapp.cli.deadletters.showing import show_letters
from streamapp.config.loader import load_settings
from streamapp.errors import ConfigError, StreamappError
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets
from streamapp.transport.topic_scan import Span
from tests.unit.deadletters.letters import Stored, letters_of

EVENT = {"user_id": "ann", "item_id": "tent"}
(WRONG_KEY,) = letters_of(EVENT, b"someone else", [("trace", b"t")])
(NO_JSON,) = letters_of(b"\xff\x1b", b"ann")


class Kafka:
    """The topics, and what is sent to them.

    Attributes:
        topics: The records of each partition, from offset 10 on, by topic.
        sent: What was delivered: each delivery by topic and partition.
        started: How many producers were started.
    """

    def __init__(self) -> None:
        self.topics: dict[str, list[list[Stored]]] = {"clicks": [[], []], "purchases": [[], []]}
        self.sent: list[dict[tuple[str, int], list[Outgoing]]] = []
        self.started = 0

    def put(self, topic: str, *partitions: Iterable[Any]) -> None:
        """Make a dead-letter topic of letters."""
        self.topics[topic] = [
            [
                Stored(10 + place, letter.made_ms, letter.key, letter.value, headers_of(letter))
                for place, letter in enumerate(some)
            ]
            for some in partitions
        ]

    async def scan(
        self, _: Any, spans: Sequence[Span]
    ) -> AsyncGenerator[tuple[Span, list[Any], int], None]:
        """Yield records one by one."""
        for span in spans:
            for record in self.topics[span.tp.topic][span.tp.partition]:
                if span.start <= record.offset < span.end:
                    yield span, [record], record.offset + 1

    async def offsets(self, _: Any, tps: Iterable[TP], __: Any) -> dict[TP, Offsets]:
        """Return where partitions begin and end."""
        return {tp: Offsets(10, 10 + len(self.topics[tp.topic][tp.partition]), None) for tp in tps}

    async def counts(self, _: Any) -> dict[str, int]:
        """Return the number of partitions of each topic."""
        return {topic: len(partitions) for topic, partitions in self.topics.items()}


def headers_of(letter: Any) -> list[tuple[str, bytes]]:
    """Return the headers of a letter; none of a record that is no letter."""
    if not letter.code:
        return []
    about = {
        "error.code": letter.code,
        "error.message": letter.message,
        "source.topic": letter.source.topic,
        "source.partition": letter.source.partition,
        "source.offset": letter.source_offset,
        "source.timestamp": letter.source_ms,
        "replay.count": letter.replays,
    }
    return [*letter.headers, *((name, str(text).encode()) for name, text in about.items())]


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kafka:
    """A Kafka without a network, and default settings."""
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    made = Kafka()

    @asynccontextmanager
    async def administration(_: Any) -> AsyncIterator[None]:
        yield None

    class Producer:
        def __init__(self, _: Any) -> None:
            """Connect to nothing."""

        async def start(self) -> None:
            made.started += 1

        async def stop(self) -> None:
            """Disconnect."""

        async def deliver(self, messages: dict[tuple[str, int], list[Outgoing]]) -> None:
            if messages:
                made.sent.append(messages)

    monkeypatch.setattr(letter_store, "administration", administration)
    monkeypatch.setattr(letter_store, "partition_counts", made.counts)
    monkeypatch.setattr(letter_store, "read_offsets", made.offsets)
    monkeypatch.setattr(letter_store, "scan", made.scan)
    monkeypatch.setattr(replaying, "Producer", Producer)
    return made


def replay(
    capsys: pytest.CaptureFixture[str],
    *addresses: str,
    after: str = "",
    since: str = "",
    limit: int = 1_000,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Replay letters, and return what the command says."""
    replay_letters(Replay(addresses, (), "", since, after, limit, dry_run), as_json=True)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_topic_that_is_missing_is_named_and_the_others_are_read(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where all are missing there is nothing to read."""
    with pytest.raises(ConfigError, match=r"no topic clicks\.dlq, purchases\.dlq; make the topics"):
        list_letters((), "", "", 10, as_json=False)
    kafka.put("clicks.dlq", [], [])
    list_letters((), "", "", 10, as_json=False)
    assert capsys.readouterr().out == (
        "kafka has no topic purchases.dlq; `streamapp topics` makes it\n"
        "no dead letter lies in clicks.dlq\n"
    )


def test_a_list_counts_what_fits_and_tells_other_records_apart(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    """By code and by time."""
    stranger = NO_JSON._replace(code="")
    kafka.put("clicks.dlq", [WRONG_KEY, NO_JSON._replace(made_ms=5)], [NO_JSON, stranger])
    list_letters(("not_utf8",), "clicks", "2020-01-01", 10, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["letters"], found["other_records"], found["missing_topics"]) == (1, 1, [])
    assert [(one["topic"], one["code"], one["example"]) for one in found["groups"]] == [
        ("clicks", "not_utf8", "clicks.dlq:1:10")
    ]
    list_letters(("not_json",), "clicks", "", 10, as_json=False)
    assert capsys.readouterr().out.endswith("no dead letter fits in clicks.dlq\n")


def test_a_letter_is_shown_whole_and_cannot_control_the_terminal(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    """For programs its bytes are in base64 where they are not UTF-8."""
    kafka.put("clicks.dlq", [WRONG_KEY, NO_JSON], [])
    show_letters(["clicks:0:11"], (), "", "", 1, as_json=False)
    assert capsys.readouterr().out.endswith("\\xff\\x1b\n")
    show_letters(["clicks:0:11", "clicks:0:10"], (), "", "", 1, as_json=True)
    binary, text = map(json.loads, capsys.readouterr().out.splitlines())
    assert (binary["value_base64"], binary["key"]) == ("/xs=", "ann")
    assert json.loads(text["value"]) == EVENT
    assert text["headers"] == [{"name": "trace", "value": "t"}]


def test_without_an_address_the_newest_letters_are_shown(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole, though the search for them keeps excerpts."""
    (long,) = letters_of(b"x" * 1_000)
    kafka.put("clicks.dlq", [long._replace(made_ms=9), WRONG_KEY._replace(made_ms=5)], [])
    show_letters((), (), "clicks", "", 1, as_json=False)
    assert capsys.readouterr().out.endswith("x" * 1_000 + "\n")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("clicks:0:12", "no dead letter lies at clicks.dlq:0:12; the partition holds 10 to 11"),
        ("clicks:1:0", "no dead letter lies at clicks.dlq:1:0; the partition holds nothing"),
        ("clicks:7:0", "no dead letter lies at clicks.dlq:7:0; the partition holds nothing"),
        ("clicks:0:11", "clicks.dlq:0:11 is no dead letter of this app"),
    ],
)
def test_an_address_without_a_letter_is_one_line(kafka: Kafka, address: str, said: str) -> None:
    """Nothing is shown or sent."""
    kafka.put("clicks.dlq", [WRONG_KEY, NO_JSON._replace(code="")], [])
    with pytest.raises(StreamappError) as caught:
        show_letters([address], (), "", "", 1, as_json=False)
    assert str(caught.value) == said


def test_a_replay_sends_what_counts_to_where_it_came_from(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run says the same and does not even connect."""
    monkeypatch.setenv("STREAMAPP_KEY_MISMATCH", "accept")
    kafka.put("clicks.dlq", [WRONG_KEY._replace(replays=1), NO_JSON], [])
    would = replay(capsys, dry_run=True)
    assert (kafka.sent, kafka.started) == ([], 0)
    did = replay(capsys)
    assert would == {**did, "dry_run": True}
    assert (did["sent"], did["not_sent"], did["go_on_after"]) == (1, 1, None)
    assert did["next_since"] == "2023-11-14T22:13:20.001Z"
    ((target, messages),) = [one for sent in kafka.sent for one in sent.items()]
    assert target == ("clicks", 1)
    assert messages == [
        Outgoing(
            WRONG_KEY.value, b"someone else", WRONG_KEY.source_ms,
            [("trace", b"t"), ("replay.count", b"2")],
        )
    ]  # fmt: skip


def test_a_replay_that_the_limit_ends_goes_on_behind_it(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all partitions and topics, until nothing is left."""
    monkeypatch.setenv("STREAMAPP_KEY_MISMATCH", "accept")
    letters = [WRONG_KEY._replace(source_offset=offset) for offset in range(7)]
    kafka.put("clicks.dlq", letters[:3], letters[3:5])
    kafka.put("purchases.dlq", [], letters[5:])
    after, sent = "", []
    for _ in range(9):
        done = replay(capsys, after=after, limit=3)
        sent.append(done["sent"])
        after = done["go_on_after"]
        if not after:
            break
    assert sent == [3, 3, 1]
    assert after is None


def test_records_are_sent_in_order_and_a_megabyte_at_a_time(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So memory is bounded by one more record than that."""
    monkeypatch.setenv("STREAMAPP_KEY_MISMATCH", "accept")
    values = [json.dumps({**EVENT, "n": n, "x": "x" * 300_000}).encode() for n in range(9)]
    kafka.put("clicks.dlq", [WRONG_KEY._replace(value=value) for value in values], [])
    assert replay(capsys)["sent"] == 9
    batches = [[one.value for one in sent["clicks", 1]] for sent in kafka.sent]
    assert [value for batch in batches for value in batch] == values
    assert [len(batch) for batch in batches] == [4, 4, 1]
