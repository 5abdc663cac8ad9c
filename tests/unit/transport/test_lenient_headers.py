"""Record batches with header names that are not UTF-8, as aiokafka unpacks them."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from streamapp.transport.consuming.lenient_headers import read_any_name
from tests.support.batches import Name, builder

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.fixture(autouse=True)
def _lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MemoryRecords", "PartitionRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    read_any_name()


def batch(first: int, name: str, codec: int = 0) -> bytearray:
    """Return a batch of three records, the second with a header of that name."""
    made: Any = builder(codec)
    for number, headers in enumerate(([("plain", None)], [("a", b"1"), (Name(name), b"2")], [])):
        assert made.append(number, 1_000 + number, None, b"value %d" % number, headers)
    built: bytearray = made.build()
    built[:8] = first.to_bytes(8)
    return built


def unpacked(content: bytes, start: int = 0) -> list[ConsumerRecord]:
    """Return the records from an offset on."""
    records = fetcher.MemoryRecords(content)
    settings = (None, None, True, fetcher.READ_COMMITTED)
    return list(fetcher.PartitionRecords(TopicPartition("t", 0), records, None, start, *settings))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_such_a_batch_between_others_loses_nothing_but_how_the_name_was_written(codec: int) -> None:
    """Every record is there once and complete, from any start of reading."""
    first, last = batch(0, "name"), batch(6, "name", codec)
    found = unpacked(bytes(first + batch(3, "\xff\xfe name", codec) + last))
    plain = unpacked(bytes(first + batch(3, "name", codec) + last))
    assert found[4].headers == (("a", b"1"), ("\\xff\\xfe name", b"2"))
    assert [vars(one) | {"headers": ()} for one in found] == [
        vars(one) | {"headers": ()} for one in plain
    ]
    assert [one.offset for one in found] == list(range(9))
    assert unpacked(bytes(batch(3, "\xff\xfe name", codec) + last), 4) == found[4:]


def test_records_that_were_read_before_the_name_are_not_read_twice() -> None:
    """The compiled parser returns the records before such a header."""
    content = bytes(batch(0, "\xff") + batch(3, "\xfe") + batch(6, "name"))
    assert [one.offset for one in unpacked(content)] == list(range(9))


def test_a_batch_whose_checksum_is_wrong_is_refused_as_before() -> None:
    """Only names are read leniently."""
    content = batch(0, "\xff")
    content[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        unpacked(bytes(content))


def test_a_batch_with_good_names_is_read_by_the_compiled_parser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parser in Python takes many times as long."""
    monkeypatch.delattr("streamapp.transport.consuming.lenient_headers._Lenient")
    assert len(unpacked(bytes(batch(0, "name")))) == 3
