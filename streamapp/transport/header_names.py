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


class _Batches:
    """What one fetch brought from a partition, as aiokafka's `MemoryRecords`."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._records = MemoryRecords(content)
        self._next = 0
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        """Return the next batch; there must be one."""
        start = self._next
        self._next += _LENGTH.size + _LENGTH.unpack_from(self._content, start)[0]
        return _Batch(self._records.next_batch(), self._content[start : self._next])


class _Batch:
    """One batch, as aiokafka's own, with a way to read it again."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _read_again(self._content)

    def __next__(self) -> Any:
        return next(self._batch)


class _Lenient(bytearray):
    """Bytes of which every part can be decoded."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, *_: str) -> str:
        """Return them as text."""
        return super().decode(errors="backslashreplace")


def _read_again(content: memoryview) -> Iterator[Any]:
    batch: Any = _DefaultRecordBatchPy(content)
    batch._maybe_uncompress()  # noqa: SLF001
    batch._buffer = _Lenient(batch._buffer)  # noqa: SLF001
    yield from batch
