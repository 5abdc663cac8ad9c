"""The recovery: how partitions get over a change of their group while records come in."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.bench.watch import Sample

_LEAST_S = 0.5
"""The shortest pause that counts as a standstill."""

_TIMES = 2.0
"""A standstill is longer than the longest pause before the change, by this factor."""

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recovery:
    """The figures of a change.

    Attributes:
        works_s: Seconds from the change until every partition works again: it has applied a record
            that was sent after the change, and its last standstill is over.
        longest_s: The longest pause of a partition after the change, in seconds.
        median_s: The median of the longest pauses of all partitions.
        before_s: The longest pause of a partition before the change.
        stopped: Partitions that stood still.
        stuck: Partitions that did not work again.
    """

    works_s: float
    longest_s: float
    median_s: float
    before_s: float
    stopped: int
    stuck: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures in JSON form."""
        return asdict(self)


def recovery(
    samples: Sequence[Sample],
    calm_s: float,
    changed_s: float,
    until_s: float,
    first: Sequence[int | None],
) -> Recovery:
    """Return how partitions got over a change.

    A partition pauses between two moments at which its position moves. Before a worker joins the
    group, all partitions work on, and so they may have applied newer records before they stand
    still. That is why a partition works again only after its last standstill.

    Args:
        samples: Samples from the beginning of the calm to the end; each partition gets records all
            the time.
        calm_s: When the calm before the change begins, on the clock of the samples.
        changed_s: When the change begins.
        until_s: When it has to be over.
        first: For each partition, the first offset that was sent after the change; None for none.
    """
    at = np.array([sample.at_s for sample in samples])
    positions = np.array([sample.positions for sample in samples])
    moves = [at[1:][moved] for moved in (positions[1:] != positions[:-1]).T]
    before_s = max(float(np.diff(_between(some, calm_s, changed_s)).max()) for some in moves)
    limit_s = max(_LEAST_S, _TIMES * before_s)
    longest, stopped, stuck, works_s = [], 0, 0, changed_s
    for partition, some in enumerate(moves):
        ends = _between(some, changed_s, until_s)
        pauses = np.diff(ends)
        longest.append(float(pauses.max()))
        long = np.flatnonzero(pauses > limit_s)
        stopped += len(long) > 0
        applied_s = _applied_s(at, positions[:, partition], first[partition], changed_s)
        if applied_s > until_s or pauses[-1] > limit_s:
            stuck += 1
        else:
            resumed_s = float(ends[long[-1] + 1]) if len(long) else changed_s
            works_s = max(works_s, applied_s, resumed_s)
    return Recovery(
        works_s - changed_s, max(longest), float(np.median(longest)), before_s, stopped, stuck
    )


def _between(moves: Times, from_s: float, until_s: float) -> Times:
    """Return the two moments and those of the moves between them."""
    inside = moves[(from_s < moves) & (moves < until_s)]
    return np.concatenate(([from_s], inside, [until_s]))


def _applied_s(
    at: Times, positions: npt.NDArray[Any], first: int | None, changed_s: float
) -> float:
    """Return when a record was seen to be applied; infinity for never."""
    if first is None:
        return changed_s
    behind = np.flatnonzero(positions > first)
    return float(at[behind[0]]) if len(behind) else np.inf
