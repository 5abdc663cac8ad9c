"""Trends: whether a figure that is sampled for a long time grows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_CALM_S = 600.0
"""After this long a process has what it needs for its work."""

_WINDOW_S = 60.0
"""A figure at a moment is the median of its samples in this time."""

_SHARE = 6.0
"""A shorter run has a calm and windows that are this part of it."""

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Trend:
    """How a figure develops.

    Attributes:
        calm: The figure after the calm.
        end: The figure at the end.
        slope_per_h: What it gains in an hour by the line through all samples since the calm.
    """

    calm: float
    end: float
    slope_per_h: float

    @property
    def growth(self) -> float:
        """The gain since the calm as a share of the figure then; 0 for a figure that was 0."""
        return self.end / self.calm - 1 if self.calm else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the trend in JSON form."""
        return {**asdict(self), "growth": self.growth}


def calm_s(duration_s: float) -> float:
    """Return how long the calm of a run lasts: ten minutes, or a sixth of a shorter run."""
    return min(_CALM_S, duration_s / _SHARE)


def trend(at_s: Sequence[float], figures: Sequence[float], duration_s: float) -> Trend:
    """Return the trend of a figure.

    Args:
        at_s: When each sample was taken, in seconds after the start, rising, up to the end; at
            least two in each sixth of the run.
        figures: The figure in each sample.
        duration_s: How long the run took.
    """
    at, values = np.asarray(at_s, dtype=np.float64), np.asarray(figures, dtype=np.float64)
    begin_s, window_s = calm_s(duration_s), min(_WINDOW_S, duration_s / _SHARE)
    since = at >= begin_s
    slope_per_s, _ = np.polyfit(at[since], values[since], 1)
    return Trend(
        calm=float(np.median(values[since & (at <= begin_s + window_s)])),
        end=float(np.median(values[at >= at[-1] - window_s])),
        slope_per_h=float(slope_per_s) * _HOUR_S,
    )
