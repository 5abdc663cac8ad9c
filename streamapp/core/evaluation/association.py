"""Association measures of two items, as in market-basket analysis.

A basket is the history of one user. All measures follow from four counts: all users, the users of
the one item, the users of the other item, and the users of both. Ratings play no part.
"""

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Association:
    """The counts of two items A and B.

    Attributes:
        users: Users with a history; > 0.
        having: Users who have A, and users who have B; both > 0.
        both: Users who have A and B.
    """

    users: int
    having: tuple[int, int]
    both: int

    @property
    def support(self) -> float:
        """Users with both / all users, 0 to 1."""
        return self.both / self.users

    @property
    def confidence(self) -> tuple[float, float]:
        """Users with both / users with A, and users with both / users with B; 0 to 1."""
        left, right = self.having
        return self.both / left, self.both / right

    @property
    def lift(self) -> float:
        """Users with both / the same expected by chance; 1 for independent items."""
        left, right = self.having
        return self.both * self.users / (left * right)

    @property
    def jaccard(self) -> float:
        """Users with both / users with either, 0 to 1."""
        return self.both / (sum(self.having) - self.both)

    @property
    def log_likelihood_ratio(self) -> float:
        """The evidence that the items depend on each other, G squared; 0 for independent items.

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
