"""Probes: events whose effect can be told apart from that of all others.

A probe is two events of a user without other events. The first is on an item of the shop, so that
there is a pair. The probe proper comes later, on an item of its own.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

Fields = tuple[str, str, str, None]
"""User, item, type, and a time that is set when the event is sent."""

_HIGHEST = 9_999_999
_LEAD_S = 1.0
"""How long before the probe its user's first event is due."""


@dataclass(frozen=True, slots=True)
class Probes:
    """The events to send and the lists to watch.

    Attributes:
        schedule: Both events of every probe as (seconds after the start, fields), in that order.
        due_s: Intended moment of each probe proper, by its item.
        shared: The item whose list names all probes, or empty.
    """

    schedule: list[tuple[float, Fields]]
    due_s: dict[str, float]
    shared: str = ""

    def watched(self, until_s: float) -> dict[str, Any]:
        """Return the input of a watcher."""
        return {"due_s": self.due_s, "shared": self.shared, "until_s": until_s}


def spread(
    name: str, *, count: int, from_s: float, every_s: float, beside: str, shared: bool, seed: int
) -> Probes:
    """Return probes at random moments, one in each interval, so that no cycle keeps step with them.

    Args:
        name: Part of the names of users and items.
        count: How many.
        from_s: Where the first interval begins, at least `_LEAD_S` after the start.
        every_s: Length of an interval.
        beside: The item of the users' first events; with `shared` they buy it.
        shared: Whether the probes are looked for in the list of `beside`. Their ids fall and sort
            before those of all others, so the newest comes first among equal scores.
        seed: Seed of the moments.
    """
    chance = Random(seed)  # noqa: S311 - moments, no secrets
    kind = "purchase" if shared else "click"
    schedule: list[tuple[float, Fields]] = []
    due_s: dict[str, float] = {}
    for number in range(count):
        at_s = from_s + (number + chance.random()) * every_s
        user, item = f"{name}-{number}", f"!{name}-{_HIGHEST - number}"
        schedule += [
            (at_s - _LEAD_S, (user, beside, kind, None)),
            (at_s, (user, item, "click", None)),
        ]
        due_s[item] = at_s
    return Probes(sorted(schedule), due_s, beside if shared else "")
