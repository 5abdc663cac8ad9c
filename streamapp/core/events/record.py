"""The interface of a Kafka record, as far as the core reads it."""

from typing import Protocol


class Record(Protocol):
    """A record as a Kafka client hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
