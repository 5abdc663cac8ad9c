r"""Lets aiokafka read records with header names that are not UTF-8.

Kafka accepts such names. aiokafka up to and including 0.14.0 raises UnicodeDecodeError when it
reads one, again after each restart, so one record of a tracker would stop its partition for ever.
This module reads such a record batch a second time, by aiokafka's slower parser in Python, and
shows the bytes that are not UTF-8 as `\xff`.

The patch is for the whole process. Delete this file with the first pinned version of aiokafka that
reads such names: `tests/contract/test_header_names.py` fails then. No issue of aiokafka is known.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = Struct(">8xi")
"""The start of a batch: its first offset, and the number of bytes that follow."""


def read_any_name() -> None:
    """Let all consumers of this process read such records; a second call changes nothing."""
    fetcher.MemoryRecords = _Batches
    fetcher.PartitionRecords = _Records


class _Batches:
    """The batches of one fetch from a partition, as aiokafka's `MemoryRecords`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._batches = MemoryRecords(content)
        self._given = 0
        self._again = False
        self.size_in_bytes = self._batches.size_in_bytes

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return self._again or bool(self._batches.has_next())

    def next_batch(self) -> Any:
        """Return the next batch, or after `go_back` the last one again."""
        if self._again:
            self._again = False
            return _Lenient(self._last())
        self._given += 1
        return self._batches.next_batch()

    def go_back(self) -> None:
        """Return the last batch again on the next call, and accept any header name in it."""
        self._again = True

    def _last(self) -> bytes:
        start = end = 0
        for _ in range(self._given):
            start, end = end, end + _LENGTH.size + _LENGTH.unpack_from(self._content, end)[0]
        return self._content[start:end]


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch from a partition."""

    _records: _Batches

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except UnicodeDecodeError:
                # Records that were returned already are below the next offset, and are skipped.
                self._records.go_back()
            else:
                return


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch with headers of any name."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _AnyText(self._buffer)


class _AnyText(bytearray):
    """Bytes that decode without errors, in every slice."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _AnyText(found) if isinstance(index, slice) else found

    def decode(self, *_: str) -> str:
        """Return them as text."""
        return super().decode(errors="backslashreplace")
