"""Letters as a worker makes them of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamapp.agents.runtime.dead_letter import dead_letter
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.deadletters.letter import Letter, read_letter
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP
from tests.support.reading import Record, Said, encoded

CLICKS = TP("clicks", 1)
LETTERS = TP("clicks.dlq", 1)


@dataclass
class Stored:
    """A record in a topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def settings(**chosen: Any) -> Settings:
    """Return settings."""
    return Settings(_env_file=None, **chosen)


def letters_of(
    value: Any,
    key: bytes = b"u1",
    headers: Sequence[tuple[str, bytes]] = (),
    *,
    timestamp: int = 1_700_000_000_500,
    most: int = MAX_MESSAGE_BYTES,
    source: TP = CLICKS,
    **chosen: Any,
) -> list[Letter]:
    """Return the letters of a record on `source`, as a worker with these settings makes them.

    Args:
        value: The value; other types than bytes are sent as JSON.
        key: The key.
        headers: The headers.
        timestamp: The time of the record in milliseconds.
        most: The largest message that the dead-letter topic takes.
        source: The partition of the record.
        chosen: The settings.
    """
    reader = EventReader(event_rules(settings(**chosen)), source.topic)
    record = Record(None if value is None else encoded(value), headers, key, timestamp=timestamp)
    refusals = reader.read([record], Said())
    made = [dead_letter(source, one, most) for one in refusals]
    found = [read_letter(LETTERS, stored(one, place)) for place, one in enumerate(made)]
    assert None not in found
    return [one for one in found if one is not None]


def stored(message: Outgoing, offset: int = 0, timestamp: int = 1_700_000_000_000) -> Stored:
    """Return a message as a reader finds it."""
    return Stored(offset, timestamp, message.key, message.value, message.headers)
