"""Waiting for a condition, with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_S = 0.02


def wait_until(condition: Callable[[], T], within_s: float, what: Callable[[], str] | str) -> T:
    """Return the first true answer of a condition.

    Args:
        condition: What is asked again and again.
        within_s: Seconds after which waiting is given up.
        what: What was waited for, for the message; called only when it is needed.

    Raises:
        AssertionError: the condition stayed false.
    """
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within_s} s: {what if isinstance(what, str) else what()}"
            )
        time.sleep(_INTERVAL_S)
    return answer
