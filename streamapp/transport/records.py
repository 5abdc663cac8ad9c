"""A record batch: what one read of Kafka brought from one partition."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import aiokafka

from streamapp.core.events.event import Record

if TYPE_CHECKING:
    from faust.types import TP as TP  # noqa: PLC0414 - for others to import from here
else:
    # The same pair under another name: commands need no Faust, which takes long to import.
    TP = aiokafka.TopicPartition


class KafkaRecord(Record, Protocol):
    """A record as aiokafka hands it over."""

    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one partition, in order.

    Attributes:
        tp: Topic and partition.
        records: At least one record.
        epoch: Which opening of the partition they were read in; older ones are void.
        read_at: Monotonic time in seconds.
    """

    tp: TP
    records: list[Any]
    epoch: int
    read_at: float = field(default_factory=time.monotonic)

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return int(self.records[-1].offset) + 1


@dataclass(frozen=True, slots=True)
class RecordFingerprint:
    """The last record that was applied: tells a topic from one made anew under its name.

    Attributes:
        offset: Its offset.
        checksum: CRC-32 over its time, key and value.
    """

    offset: int
    checksum: int

    @classmethod
    def of(cls, record: KafkaRecord) -> "RecordFingerprint":
        """Return the mark of a record."""
        head = b"%d %d " % (record.timestamp, len(record.key or b""))
        return cls(record.offset, crc32(head + (record.key or b"") + (record.value or b"")))

    @classmethod
    def decode(cls, text: bytes) -> "RecordFingerprint | None":
        """Return the mark that `encode` wrote; None of an empty text."""
        offset, _, checksum = text.partition(b":")
        return cls(int(offset), int(checksum)) if offset else None

    def encode(self) -> bytes:
        """Return the mark as a head carries it."""
        return b"%d:%d" % (self.offset, self.checksum)


@dataclass(frozen=True, slots=True)
class Offsets:
    """What Kafka says of one partition.

    Attributes:
        beginning: First offset that is there.
        end: Offset behind the last record.
        committed: What the group committed, or None.
    """

    beginning: int
    end: int
    committed: int | None
