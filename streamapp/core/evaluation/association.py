"""Association rules of two items, in the terms of market-basket analysis.

A basket is the history of one user, so four counts say all: users, users who have the one item,
users who have the other, and users who have both. Ratings play no part here.
"""

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Association:
    """How two items A and B occur together.

    Attributes:
        users: Users with a history; > 0.
        having: Users who have A, and users who have B; > 0.
        both: Users who have both.
    """

    users: int
    having: tuple[int, int]
    both: int

    @property
    def support(self) -> float:
        """Share of users who have both, 0 to 1."""
        return self.both / self.users

    @property
    def confidence(self) -> tuple[float, float]:
        """Share of those who have A that also have B, and of those who have B that have A."""
        left, right = self.having
        return self.both / left, self.both / right

    @property
    def lift(self) -> float:
        """How many times as often as by chance; 1 where they have nothing to do with each other."""
        left, right = self.having
        return self.both * self.users / (left * right)

    @property
    def jaccard(self) -> float:
        """Share of those who have both among those who have any, 0 to 1."""
        return self.both / (sum(self.having) - self.both)

    @property
    def log_likelihood_ratio(self) -> float:
        """How surely they have to do with each other, G squared; 0 where they do not.

        Source: Dunning, Accurate methods for the statistics of surprise and coincidence (1993).
        """
        left, right = self.having
        table = (
            (self.both, left, right),
            (left - self.both, left, self.users - right),
            (right - self.both, self.users - left, right),
            (self.users - left - right + self.both, self.users - left, self.users - right),
        )
        return 2 * sum(
            count * log(count * self.users / (row * column))
            for count, row, column in table
            if count
        )
