"""The dead letters of a record are a small multiple of it in bytes, whatever is wrong with it."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.agents.runtime.dead_letter import dead_letter
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.formats.known_formats import FORMAT_NAMES
from streamapp.core.events.refusals import Refusal
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP
from tests.support.reading import RULES, TOPIC, Record, Said

TIMES, BESIDE = 4, 8_192
"""As `docs/contracts.md` promises."""

DEEP = b'{"user_id": "u", "item_id": 1.5, "x": ' + b"[" * 1_010 + b"]" * 1_010 + b"}"
CALL = b'{"type": "track", "event": "view", "userId": %b, "properties": {"product_id": 1.5}}'


def read(record: Record, form: str = "flat") -> Sequence[Refusal]:
    """Return what is refused of a record."""
    reader = EventReader(replace(RULES, formats={TOPIC: form}), TOPIC)
    return reader.read([record], Said())


def size(message: Outgoing | Record) -> int:
    """Return the bytes of a record or a letter."""
    headers = sum(len(name) + len(value) for name, value in message.headers)
    return len(message.value or b"") + len(message.key or b"") + headers


def letters(record: Record, form: str = "flat") -> list[Outgoing]:
    """Return the dead letters of a record on a topic whose name is as long as Kafka allows."""
    return [dead_letter(TP("t" * 249, 0), refusal) for refusal in read(record, form)]


def check(record: Record, form: str = "flat") -> None:
    """Compare the bytes of the letters of a record with its own."""
    assert sum(map(size, letters(record, form))) <= TIMES * size(record) + BESIDE


parts = st.sampled_from(
    [b"1", b"", b"{}", b"NaN", DEEP, b'{"items": [1,2,3]}', b'{"user_id": 1e30}', CALL % b"1e30"]
) | st.binary(max_size=20)


@given(
    st.lists(parts, max_size=20),
    st.sampled_from([1, 50, 3_000]),
    st.sampled_from([b"[%b]", b'{"events":[%b]}', b'{"batch":[%b]}', b'{"items":[%b]}', b"%b"]),
    st.sampled_from(FORMAT_NAMES),
    st.binary(max_size=50) | st.just(b"k" * 5_000),
    st.lists(st.tuples(st.text(max_size=3), st.just(b"h" * 900)), max_size=9),
)
@example([b"1"], 200_000, b"[%b]", "flat", b"k", [])
@example([DEEP, *[b"1"] * 9], 500, b"[%b]", "flat", b"k", [])
@example([b"1"], 1_000, b"[%b]", "flat", b"k" * 250_000, [("h", b"h" * 250_000)])
@example([b"1"], 9_000, b'{"user_id":"u","type":"click","items":[%b]}', "flat", b"k", [])
def test_letters_are_at_most_four_times_their_record_and_eight_kilobytes(
    some: list[bytes],
    times: int,
    whole: bytes,
    form: str,
    key: bytes,
    headers: list[tuple[str, bytes]],
) -> None:
    """Whatever a tracker sends, in any format, with any key and headers."""
    check(Record(whole % b",".join(some * times), headers, key), form)


def test_after_a_hundred_parts_the_rest_is_the_whole_value() -> None:
    """The header says how many parts have no letter of their own."""
    value = b"[" + b",".join(b'"%05d%b"' % (n, b"x" * 600) for n in range(250)) + b"]"
    found = letters(Record(value))
    assert len(found) == 101
    assert [one.value for one in found[:2]] == [b'"00000%b"' % (b"x" * 600),
                                                b'"00001%b"' % (b"x" * 600)]  # fmt: skip
    assert found[-1].value == value
    assert [dict(one.headers).get("error.count") for one in found] == [None] * 100 + [b"150"]


def test_bad_lines_of_an_order_share_the_limit_of_their_record() -> None:
    """Good lines beside them count."""
    lines = b",".join([b'{"item_id":"good"}', *[b'{"item_id":"","x":"%b"}' % (b"x" * 600)] * 300])
    found = read(Record(b'{"user_id":"u","type":"click","items":[' + lines + b"]}"))
    assert (len(found), found[-1].code, found[-1].rest) == (101, "missing_id", 200)


def test_a_letter_that_was_one_before_does_not_keep_the_count_of_then() -> None:
    """A reader may rely on the header."""
    (once,) = letters(Record(b"no json", [("error.count", b"7"), ("trace", b"t")]))
    assert ("error.count" in dict(once.headers), dict(once.headers)["trace"]) == (False, b"t")


@pytest.mark.parametrize("broken", [b"", b",NaN"])
def test_ids_that_are_read_again_cost_no_more_than_their_number(broken: bytes) -> None:
    """Of a translated record, exact integers are read once and not once for each event."""

    def seconds(events: int) -> float:
        calls = b",".join([CALL % b"1"] * events)
        began = time.process_time()
        read(Record(b'{"batch":[' + calls + broken + b"]}"), "segment")
        return time.process_time() - began

    seconds(50)
    few, many = min(seconds(250) for _ in range(3)), min(seconds(4_000) for _ in range(2))
    assert many < 48 * few  # 16 times as many; 256 times if each reads all


@given(
    st.integers(0, 300_000),
    st.integers(0, 300_000) | st.none(),
    st.lists(st.tuples(st.text(max_size=9), st.integers(0, 60_000)), max_size=9),
    st.integers(4_096, 300_000),
)
@example(300_000, 10, [("h", 10)], 100_000)
@example(10, 300_000, [("h", 60_000)] * 9, 100_000)
def test_a_letter_that_its_topic_does_not_take_is_cut(
    value: int, key: int | None, headers: list[tuple[str, int]], most: int
) -> None:
    """A compressed record may be larger than any message; the letter says how large it was."""
    record = Record(
        b"v" * value,
        [(name, b"h" * length) for name, length in headers],
        None if key is None else b"k" * key,
    )
    refusal = Refusal(record, record.value, "too_large", "the value has many bytes")
    source = TP("t" * 249, 0)
    whole, cut = dead_letter(source, refusal), dead_letter(source, refusal, most)
    beside = 10 * len(cut.headers) + 101
    assert size(cut) + beside <= most
    if size(whole) + beside + 1_200 <= most:
        assert cut == whole
    if cut != whole:
        assert dict(cut.headers)["value.bytes"] == b"%d" % value
        assert record.value is not None
        assert record.value.startswith(cut.value or b"")
