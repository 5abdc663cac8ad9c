"""Decodes records of the internal topics, to which only this app may write."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from streamapp.errors import StateError
from streamapp.transport.records import TP, KafkaRecord

T = TypeVar("T")


def decoded_message(decode: Callable[[bytes], T], tp: TP, record: KafkaRecord) -> T:
    """Return the decoded value of a record of an internal topic.

    Raises:
        StateError: another program wrote to the topic.
    """
    try:
        return decode(record.value or b"")
    except msgspec.DecodeError as error:
        raise StateError(
            f"{tp.topic}[{tp.partition}] offset {record.offset}: not a message of this app "
            f"({error}); only streamapp may write to this topic"
        ) from None
