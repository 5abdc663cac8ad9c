"""The settings of the history rule, as the core takes them."""

from dataclasses import dataclass

import numpy as np

from streamapp.core.arrays.array_types import Floats
from streamapp.core.histories.decay import BASE, Decay
from streamapp.core.histories.event_types import EventTypes


@dataclass(frozen=True, slots=True)
class HistoryRule:
    """What a history keeps, and how its marks make ratings; each field changes results.

    Attributes:
        types: The types that count.
        cap: Most items of a history, and most hidden items; > 0.
        forget_after_s: An event that is later than the newest mark by more than this starts a new
            history.
        decay: How ratings decay; None: not at all.
    """

    types: EventTypes
    cap: int
    forget_after_s: float = np.inf
    decay: Decay | None = None

    @property
    def base(self) -> Floats:
        """Rating of an interaction at time 0 by the number of its type; with decay, its level."""
        weight = self.types.weight
        return BASE + np.log2(weight) if self.decay else weight

    @property
    def half_life_s(self) -> float:
        """Seconds after which an interaction counts half; infinity without decay.

        The rating of an interaction is `base + ts / half_life_s`.
        """
        return self.decay.half_life_s if self.decay else np.inf
