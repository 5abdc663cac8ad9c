"""A dead letter in words, and as JSON."""

import base64
from datetime import UTC, datetime
from typing import Any

from streamapp.core.events.refusals import ENCLOSED, EVENT, LINE, REST
from streamapp.deadletters.letter import Letter

_PARTS = {
    "": "the whole value of the record",
    EVENT: "one event of the record",
    ENCLOSED: "one event of the record, without its envelope",
    LINE: "one line of an order",
    REST: "all of it, also parts that counted or have letters of their own",
}
_EXCERPT = 60
"""Most characters of a value in a table."""


def moment(milliseconds: int) -> str:
    """Return a time as ISO 8601 in UTC; "" for a time before 1970 or beyond year 9999."""
    try:
        time = datetime.fromtimestamp(milliseconds / 1_000, UTC) if milliseconds >= 0 else None
    except (OverflowError, ValueError, OSError):
        time = None
    return f"{time:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1_000:03d}Z" if time else ""


def minute(milliseconds: int) -> str:
    """Return a time in UTC for a narrow table."""
    return moment(milliseconds)[:16].replace("T", " ")


def excerpt(value: bytes | None) -> str | None:
    """Return the begin of a value for a table; None if there is no value."""
    if value is None:
        return None
    text = readable(value)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}..."


def readable(value: bytes) -> str:
    r"""Return bytes as text; a byte that is not UTF-8 shows as `\xff`."""
    return value.decode(errors="backslashreplace")


def lines_about(letter: Letter) -> list[tuple[str, str | None]]:
    """Return what there is to say about a letter, without its value, as a table for people."""
    value = letter.value
    part = _PARTS.get(letter.part, letter.part)
    if letter.whole_bytes is not None:
        part += f", cut to {len(value or b''):,} of {letter.whole_bytes:,} bytes"
    if letter.unnamed:
        part += f"; {letter.unnamed:,} bad parts have no letter of their own"
    source = f"{letter.source.topic}[{letter.source.partition}] at {letter.source_offset}"
    return [
        ("code", letter.code),
        ("message", letter.message),
        ("made", moment(letter.made_ms)),
        ("source", source),
        ("source time", moment(letter.source_ms) or None),
        ("replays", str(letter.replays)),
        ("app version", letter.version),
        ("key", None if letter.key is None else readable(letter.key)),
        *((f"header {name}", readable(text or b"")) for name, text in letter.headers),
        ("value holds", None if value is None else part),
    ]


def as_json(letter: Letter) -> dict[str, Any]:
    """Return all of a letter for programs.

    Bytes that are not UTF-8 are under a name with `_base64`.
    """
    return {
        "address": letter.address,
        "made": moment(letter.made_ms),
        "code": letter.code,
        "message": letter.message,
        "source": {
            "topic": letter.source.topic,
            "partition": letter.source.partition,
            "offset": letter.source_offset,
            "timestamp": letter.source_ms,
        },
        "replays": letter.replays,
        "part": letter.part,
        "error_count": letter.unnamed,
        "value_bytes": letter.whole_bytes,
        "app_version": letter.version,
        **_bytes("key", letter.key),
        "headers": [{"name": name, **_bytes("value", text)} for name, text in letter.headers],
        **_bytes("value", letter.value),
    }


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    try:
        return {name: None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value or b"").decode()}
