"""Text from outside, as it may be printed and logged."""

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_ESCAPES |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}


def visible(text: str) -> str:
    """Return a text with escaped control characters and line separators.

    Ids come from trackers. Raw, they could control a terminal, or forge a line of a log.
    """
    return text.translate(_ESCAPES)
