"""A made-up shop: a seeded event log of any size.

Items are as popular as Zipf's law says, or by a flatter law. Users come in any order, each with the
same mean number of events, so the pairs of an event do not depend on the number of users or items.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.eventlog import LoggedEvent

_OPENED_S = 1_700_000_000.0
_EVENTS_PER_S = 100.0
_TYPES = np.array(["click", "add_to_cart", "purchase"])
_SHARES = (0.9, 0.07, 0.03)
_CHUNK_EVENTS = 100_000

Chances = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shop:
    """The parameters of a log; the same shop makes the same log.

    Attributes:
        events: Number of events.
        users: Number of users, each equally likely.
        items: Number of items.
        exponent: Exponent of Zipf's law: the item of rank k has a chance of 1 / k**exponent.
        seed: Seed of the generator.
        squared: Whether the number of an item is `int(items * x * x)` instead, x uniform in [0, 1).
        shares: Chances of a click, an add-to-cart and a purchase; their sum is 1.
    """

    events: int
    users: int
    items: int
    exponent: float = 1.0
    seed: int = 1
    squared: bool = False
    shares: tuple[float, float, float] = _SHARES

    def __iter__(self) -> Iterator[LoggedEvent]:
        """Yield the events, 100 a second of event time."""
        generator, number_of = np.random.default_rng(self.seed), self._number_of()
        for start in range(0, self.events, _CHUNK_EVENTS):
            size = min(_CHUNK_EVENTS, self.events - start)
            users = generator.integers(0, self.users, size)
            items = number_of(generator.random(size))
            types = generator.choice(_TYPES, size, p=self.shares).tolist()
            for place, (user, item, kind) in enumerate(
                zip(users.tolist(), items.tolist(), types, strict=True), start
            ):
                ts = _OPENED_S + place / _EVENTS_PER_S
                yield LoggedEvent(f"u{user}", f"sku-{item}", kind, ts)

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters of the log."""
        return asdict(self)

    def _number_of(self) -> Callable[[Chances], Numbers]:
        """Return the function from chances, uniform in [0, 1), to the numbers of items."""
        if self.squared:
            return lambda chances: (self.items * chances * chances).astype(np.int64)
        weights = 1.0 / np.arange(1, self.items + 1, dtype=np.float64) ** self.exponent
        sums = np.cumsum(weights)
        sums /= sums[-1]
        return lambda chances: np.searchsorted(sums, chances, side="right")
