"""A dead letter is read as a worker wrote it, and other records are none."""

import pytest

from streamapp.deadletters.letter import read_letter
from streamapp.transport.records import TP
from tests.unit.deadletters.letters import LETTERS, Stored, letters_of

NEEDED = [
    ("error.code", b"not_json"),
    ("source.topic", b"clicks"),
    ("source.partition", b"1"),
    ("source.offset", b"7"),
]


def test_everything_that_a_worker_wrote_is_read() -> None:
    """Headers of the tracker are apart from those of the worker."""
    (letter,) = letters_of(b"no json", b"\xff", [("trace", b"t"), ("replay.count", b"2")])
    assert letter.address == "clicks.dlq:1:0"
    assert (letter.key, letter.value, letter.headers) == (b"\xff", b"no json", [("trace", b"t")])
    assert (letter.code, letter.source, letter.source_offset) == ("not_json", TP("clicks", 1), 7)
    assert letter.source_ms == 1_700_000_000_500
    assert (letter.replays, letter.part, letter.unnamed, letter.whole_bytes) == (2, "", 0, None)
    assert letter.message.startswith("the value is not JSON")
    assert letter.version


@pytest.mark.parametrize("left_out", [name for name, _ in NEEDED])
def test_a_record_without_what_every_letter_has_is_no_letter(left_out: str) -> None:
    """Other programs may write to the topic."""
    headers = [(name, text) for name, text in NEEDED if name != left_out]
    assert read_letter(LETTERS, Stored(0, 0, b"k", b"v", NEEDED)) is not None
    assert read_letter(LETTERS, Stored(0, 0, b"k", b"v", headers)) is None


@pytest.mark.parametrize("text", [b"", b"-1", b"1e3", b"1" * 20, b"\xff", "٣".encode(), None])
def test_a_number_that_is_none_makes_no_letter_and_counts_no_replay(text: bytes) -> None:
    """A tracker may send any header, and Kafka takes one without a value."""
    bad = [*NEEDED[:3], ("source.offset", text)]
    assert read_letter(LETTERS, Stored(0, 0, b"k", b"v", bad)) is None
    letter = read_letter(LETTERS, Stored(0, 0, b"k", b"v", [*NEEDED, ("replay.count", text)]))
    assert letter is not None
    assert letter.replays == 0


def test_a_letter_says_that_it_was_cut() -> None:
    """With the number of bytes that the value had."""
    (letter,) = letters_of(b"x" * 9_000, most=4_096)
    assert letter.whole_bytes == 9_000
    assert letter.value is not None
    assert len(letter.value) < 4_096
