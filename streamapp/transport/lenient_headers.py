r"""Transport. Reads records that have headers whose names are not UTF-8.

Kafka takes such names, and aiokafka ends with UnicodeDecodeError when it reads one, again after
each restart. A record batch that it cannot read for that reason is read once more by its parser in
Python, which is slower, with a name that shows what is not UTF-8: `\xff`.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = Struct(">8xi")
"""How a batch begins: its first offset, and how many bytes follow."""


def read_any_name() -> None:
    """Let all consumers of this process read such records; again changes nothing."""
    fetcher.MemoryRecords = _Batches
    fetcher.PartitionRecords = _Records


class _Batches:
    """What one fetch brought from a partition, as aiokafka's `MemoryRecords`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._batches = MemoryRecords(content)
        self._given = 0
        self._again = False
        self.size_in_bytes = self._batches.size_in_bytes

    def has_next(self) -> bool:
        """Say whether there is another batch."""
        return self._again or bool(self._batches.has_next())

    def next_batch(self) -> Any:
        """Return the next batch, or the last one once more."""
        if self._again:
            self._again = False
            return _Lenient(self._last())
        self._given += 1
        return self._batches.next_batch()

    def go_back(self) -> None:
        """Have the batch that was given last be the next, with names that need not be UTF-8."""
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
                # What was returned of the batch lies below the next offset, and is skipped.
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
    """Bytes of which every part can be decoded."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _AnyText(found) if isinstance(place, slice) else found

    def decode(self, *_: str) -> str:
        """Return them as text."""
        return super().decode(errors="backslashreplace")
