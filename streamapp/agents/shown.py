"""Agents. Shown: what a worker knows of the list that stands for a user."""

from dataclasses import dataclass

UNKNOWN = 1 << 64
LOST = 1 << 65
"""No digest: what stands is still to be read, or to be published whatever it is."""


@dataclass(slots=True)
class Shown:
    """What is known of a user's list.

    Attributes:
        expires_at: Unix time in seconds at which it is removed.
        digest: Hash of the entries that stand; `UNKNOWN` until they are read,
            `LOST` where the topic may not have them.
        published_at: Monotonic time in seconds at which it was last replaced.
        made_of: The version of the lists of items that it was last made of; -1 where that was not
            here.
        short: Whether what is trending has a place in it, as it may in one that is not made yet.
    """

    expires_at: int
    digest: int
    published_at: float = -1e9
    made_of: int = -1
    short: bool = True
