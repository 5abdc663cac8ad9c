"""Waiting for a condition, with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_S = 0.02
_DEAR = 3.0
"""A slow condition is polled less often: the pause is this many times its duration."""


def wait_until(condition: Callable[[], T], within_s: float, what: Callable[[], str] | str) -> T:
    """Return the first true answer of a condition.

    Args:
        condition: Called again and again.
        within_s: Seconds until waiting ends.
        what: Describes the condition in the message; called only when needed.

    Raises:
        AssertionError: the condition stayed false.
    """
    asked_at = time.monotonic()
    deadline = asked_at + within_s
    while not (answer := condition()):
        answered_at = time.monotonic()
        if answered_at > deadline:
            raise AssertionError(
                f"not within {within_s} s: {what if isinstance(what, str) else what()}"
            )
        time.sleep(max(_INTERVAL_S, _DEAR * (answered_at - asked_at)))
        asked_at = time.monotonic()
    return answer
