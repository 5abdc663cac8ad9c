"""Records as they come from Kafka, and what identifies them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import aiokafka

from streamapp.core.events.record import Record

if TYPE_CHECKING:
    from faust.types import TP as TP  # noqa: PLC0414 - for others to import from here
else:
    # The same pair under another name: Faust takes long to import, and commands need none of it.
    TP = aiokafka.TopicPartition


class KafkaRecord(Record, Protocol):
    """A record as aiokafka hands it over."""

    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """The records that one read brought from one partition, in order.

    Attributes:
        tp: Topic and partition.
        records: At least one record.
        epoch: The opening of the partition that they belong to; batches of older ones are void.
        backlog: About how many records of events the worker had still to read then.
        read_at: Monotonic time in seconds.
        size: Bytes of the values.
    """

    tp: TP
    records: list[Any]
    epoch: int
    backlog: int = 0
    read_at: float = field(default_factory=time.monotonic)
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = sum(len(record.value or b"") for record in self.records)
        object.__setattr__(self, "size", size)

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return int(self.records[-1].offset) + 1


@dataclass(frozen=True, slots=True)
class RecordFingerprint:
    """Offset and checksum of a record: recognises a topic that was deleted and made again.

    Attributes:
        offset: Its offset.
        checksum: CRC-32 over its time, key and value.
    """

    offset: int
    checksum: int

    @classmethod
    def of(cls, record: KafkaRecord) -> "RecordFingerprint":
        """Return the fingerprint of a record."""
        head = b"%d %d " % (record.timestamp, len(record.key or b""))
        return cls(record.offset, crc32(head + (record.key or b"") + (record.value or b"")))

    @classmethod
    def decode(cls, text: bytes) -> "RecordFingerprint | None":
        """Return the fingerprint that `encode` wrote; None for an empty text."""
        offset, _, checksum = text.partition(b":")
        return cls(int(offset), int(checksum)) if offset else None

    def encode(self) -> bytes:
        """Return the fingerprint as a head stores it."""
        return b"%d:%d" % (self.offset, self.checksum)


@dataclass(frozen=True, slots=True)
class Offsets:
    """The offsets that Kafka knows of one partition.

    Attributes:
        beginning: Offset of the first record that the topic still holds.
        end: Offset behind the last record.
        committed: The offset that the group committed, or None.
    """

    beginning: int
    end: int
    committed: int | None
