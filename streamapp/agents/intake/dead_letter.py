"""The dead letter of a record, or of one element of it, that cannot be counted."""

from typing import Any

from streamapp import __version__
from streamapp.core.events.rules import Refusal
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP

_NAMES = frozenset(
    {
        "error.code",
        "error.message",
        "error.count",
        "source.topic",
        "source.partition",
        "source.offset",
        "source.timestamp",
        "app.version",
    }
)
"""The headers that a letter may add, each once."""


def letter(tp: TP, refusal: Refusal) -> Outgoing:
    """Return the dead letter of a record or of one element of it; it may have been one before."""
    record: Any = refusal.record
    about = {
        "error.code": refusal.code,
        "error.message": refusal.message,
        "source.topic": tp.topic,
        "source.partition": str(tp.partition),
        "source.offset": str(record.offset),
        "source.timestamp": str(record.timestamp),
        "app.version": __version__,
    }
    if refusal.rest:
        about["error.count"] = str(refusal.rest)
    kept = [(name, value) for name, value in record.headers if name not in _NAMES]
    added = [(name, text.encode()) for name, text in about.items()]
    return Outgoing(refusal.value, record.key, headers=[*kept, *added])
