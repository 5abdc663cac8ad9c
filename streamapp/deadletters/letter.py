"""One dead letter, as it lies in its topic."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streamapp.deadletters import headers as names
from streamapp.transport.records import TP, KafkaRecord

_MOST_CHARACTERS = 300
"""Most characters of a code or message; a worker writes fewer."""

_MOST_DIGITS = 19
"""Most digits of a number in a header; an offset has as many at most."""


class Letter(NamedTuple):
    """A dead letter.

    Attributes:
        tp: The partition that it lies in.
        offset: Its offset there.
        made_ms: When it was made, in milliseconds.
        key: The key of the record.
        value: What was refused, byte for byte, or the first bytes of it.
        headers: The headers of the record, without `replay.count`.
        code: Why it was refused.
        message: The same for people.
        source: The partition of the record.
        source_offset: The offset of the record.
        source_ms: The timestamp of the record in milliseconds; negative if it had none.
        part: What the value is of the record's value; "" if it is all of it.
        unnamed: How many further parts were refused that have no letter.
        whole_bytes: How many bytes the value had, if it was cut; else None.
        replays: How often the record was replayed.
        version: The version of the app that made the letter.
    """

    tp: TP
    offset: int
    made_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    code: str
    message: str
    source: TP
    source_offset: int
    source_ms: int
    part: str
    unnamed: int
    whole_bytes: int | None
    replays: int
    version: str

    @property
    def address(self) -> str:
        """Its name for commands: topic, partition and offset."""
        return f"{self.tp.topic}:{self.tp.partition}:{self.offset}"


def read_letter(tp: TP, record: KafkaRecord) -> Letter | None:
    """Return the dead letter that a record is; None if no worker wrote it.

    Args:
        tp: The partition that the record lies in.
        record: Any record, with any headers.
    """
    said = {
        name: (text or b"").decode(errors="replace")[:_MOST_CHARACTERS]
        for name, text in record.headers
        if name in names.ADDED or name == names.REPLAYS
    }
    code, topic = said.get(names.CODE), said.get(names.SOURCE_TOPIC)
    partition = _number(said, names.SOURCE_PARTITION)
    offset = _number(said, names.SOURCE_OFFSET)
    if not code or not topic or partition is None or offset is None:
        return None
    source_ms = _number(said, names.SOURCE_TIMESTAMP)
    return Letter(
        tp=tp,
        offset=record.offset,
        made_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=[
            (name, text)
            for name, text in record.headers
            if name not in names.ADDED and name != names.REPLAYS
        ],
        code=code,
        message=said.get(names.MESSAGE, ""),
        source=TP(topic, partition),
        source_offset=offset,
        source_ms=-1 if source_ms is None else source_ms,
        part=said.get(names.VALUE_PART, ""),
        unnamed=_number(said, names.COUNT) or 0,
        whole_bytes=_number(said, names.VALUE_BYTES),
        # A tracker may send any text under this name; one that is no number counts as 0.
        replays=_number(said, names.REPLAYS) or 0,
        version=said.get(names.VERSION, ""),
    )


def _number(said: Mapping[str, str], name: str) -> int | None:
    """Return the number of 0 or more that a header holds; None if it holds none."""
    text = said.get(name, "")
    fits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if fits else None
