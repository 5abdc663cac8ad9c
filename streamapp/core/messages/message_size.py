"""How large messages may be: every topic of the app takes the largest one."""

MAX_MESSAGE_BYTES = 16_777_216
"""Largest message; the topics of the app are made to allow it."""

PART_BYTES = 8_000_000
"""Size up to which a message is filled whose content may go on in another one."""
