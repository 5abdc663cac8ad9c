"""Distributions of durations, kept in an HdrHistogram: every value to three digits."""

from collections.abc import Iterable
from typing import Any

from hdrh.histogram import HdrHistogram

_HIGHEST_US = 3_600_000_000
_DIGITS = 3
_NAMED = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p99_9_ms": 99.9}
_CURVE = (0.0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 100)


class Distribution:
    """Durations, recorded in microseconds."""

    def __init__(self, durations_s: Iterable[float] = ()) -> None:
        """Make it of `durations_s`, in seconds."""
        self._histogram: Any = HdrHistogram(1, _HIGHEST_US, _DIGITS)
        for duration_s in durations_s:
            self.record(duration_s)

    def record(self, duration_s: float) -> None:
        """Add a duration; one below a microsecond counts as one."""
        self._histogram.record_value(min(max(1, round(duration_s * 1e6)), _HIGHEST_US))

    @property
    def count(self) -> int:
        """How many were recorded."""
        return int(self._histogram.get_total_count())

    def percentile_ms(self, percentile: float) -> float:
        """Return the duration that `percentile` percent do not exceed; 0 while there is none."""
        if not self.count:
            return 0.0
        return float(self._histogram.get_value_at_percentile(percentile)) / 1e3

    def as_dict(self) -> dict[str, float]:
        """Return the count, the named percentiles and the extremes."""
        named = {name: self.percentile_ms(at) for name, at in _NAMED.items()}
        return {"count": self.count, **named, "max_ms": self.percentile_ms(100)}

    def curve(self) -> tuple[list[float], list[float]]:
        """Return (x, y): 1 / (1 - quantile), up to the limit of the count, and milliseconds."""
        known = [at for at in _CURVE if at < 100 and round((100 - at) / 100 * self.count, 6) >= 1]
        return [100 / (100 - at) for at in known], [self.percentile_ms(at) for at in known]
