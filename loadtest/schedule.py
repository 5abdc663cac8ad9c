"""Schedules: when each event of a log is due.

A schedule is absolute. A late event does not delay the next ones, so events that were missed during
a pause of the broker follow at once, as they would from real trackers.
"""

from collections.abc import Callable

from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent

Schedule = Callable[[int, LoggedEvent], float]
"""Seconds after the start at which an event is due, from its index in the log."""


def at_once(_place: int, _event: LoggedEvent) -> float:
    """Send as fast as the broker takes it."""
    return 0.0


def at_rate(events_per_s: float) -> Schedule:
    """Return the schedule of this many events a second, evenly spaced."""
    return lambda place, _event: place / events_per_s


def at_speedup(factor: float) -> Schedule:
    """Return the schedule of the log itself, `factor` times as fast, from its first event on.

    An event that is older than the previous one is due at once.
    """
    first_ts: float | None = None

    def due(place: int, event: LoggedEvent) -> float:
        nonlocal first_ts
        if event.ts is None:
            raise ConfigError(f"event {place + 1} of the log has no ts, which --speedup needs")
        if first_ts is None:
            first_ts = event.ts
        return (event.ts - first_ts) / factor

    return due


def choose(rate: float | None, speedup: float | None, as_fast_as_possible: bool) -> Schedule:
    """Return the schedule of the options; without any of them, as fast as possible.

    Raises:
        ConfigError: there is more than one, or a number is not over 0.
    """
    if sum((rate is not None, speedup is not None, as_fast_as_possible)) > 1:
        raise ConfigError("choose one of --rate, --speedup and --max")
    for name, value in (("--rate", rate), ("--speedup", speedup)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"{name} {value:g}: a number over 0 is needed")
    if rate is not None:
        return at_rate(rate)
    return at_once if speedup is None else at_speedup(speedup)
