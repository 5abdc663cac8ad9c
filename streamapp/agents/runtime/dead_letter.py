"""The dead letter of a record, or of one element of it, that cannot be counted."""

from typing import Any

from streamapp import __version__
from streamapp.core.events.refusals import Refusal
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.deadletters import headers
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP

_OWN_BYTES = 2_048
"""Most bytes of the headers that a letter adds, and of what Kafka adds to a message."""

_HEADER_BYTES = 10
"""Most bytes of a header beside its name and value."""


def dead_letter(tp: TP, refusal: Refusal, most: int = MAX_MESSAGE_BYTES) -> Outgoing:
    """Return the dead letter of a record or of one element of it; it may have been one before.

    Args:
        tp: The partition of the record.
        refusal: What is refused.
        most: The largest message that the topic of the letter takes, in bytes. A larger letter is
            cut. A record may be that large: Kafka limits compressed records.
    """
    record: Any = refusal.record
    about = {
        headers.CODE: refusal.code,
        headers.MESSAGE: refusal.message,
        headers.SOURCE_TOPIC: tp.topic,
        headers.SOURCE_PARTITION: str(tp.partition),
        headers.SOURCE_OFFSET: str(record.offset),
        headers.SOURCE_TIMESTAMP: str(record.timestamp),
        headers.VERSION: __version__,
    }
    if refusal.rest:
        about[headers.COUNT] = str(refusal.rest)
    if refusal.part:
        about[headers.VALUE_PART] = refusal.part
    kept = [(name, value) for name, value in record.headers if name not in headers.ADDED]
    value, key, left = refusal.value, record.key, most - _OWN_BYTES
    beside = len(key or b"") + sum(
        _HEADER_BYTES + len(name.encode()) + len(text or b"") for name, text in kept
    )
    if value is not None and len(value) + beside > left:
        about[headers.VALUE_BYTES] = str(len(value))
        if beside > left // 2:
            kept, key = [], key and key[: left // 2]
            beside = len(key or b"")
        value = value[: left - beside]
    added = [(name, text.encode()) for name, text in about.items()]
    return Outgoing(value, key, headers=[*kept, *added])
