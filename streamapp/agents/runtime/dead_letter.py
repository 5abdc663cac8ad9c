"""The dead letter of a record, or of one element of it, that cannot be counted."""

from typing import Any

from streamapp import __version__
from streamapp.core.events.refusals import Refusal
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP


def dead_letter(tp: TP, refusal: Refusal) -> Outgoing:
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
    kept = [(name, value) for name, value in record.headers if name not in about]
    added = [(name, text.encode()) for name, text in about.items()]
    return Outgoing(refusal.value, record.key, headers=[*kept, *added])
