"""Transport. A record batch: what one read of Kafka brought from one partition."""

from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from faust.types import TP

KafkaRecord = ConsumerRecord[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one partition, in order.

    Attributes:
        tp: Topic and partition.
        records: At least one record.
        epoch: Which opening of the partition they were read in; older ones are void.
    """

    tp: TP
    records: list[Any]
    epoch: int

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return int(self.records[-1].offset) + 1


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
