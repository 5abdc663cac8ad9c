"""A sink that counts interactions, and keeps none."""


class InteractionCounter:
    """Shows how a worker would read a record; it is an `InteractionSink`.

    Attributes:
        interactions: How many interactions were taken.
        skipped: The unknown type of the last event that was left out; None without one.
    """

    def __init__(self) -> None:
        self.interactions = 0
        self.skipped: str | None = None

    def add(self, *_: object) -> None:
        """Count an interaction."""
        self.interactions += 1

    def leave(self, *_: object) -> None:
        """Count an event that ends a history."""
        self.interactions += 1

    def skip(self, _offset: int, _user: str, event_type: str) -> None:
        """Take in an event of an unknown type."""
        self.skipped = event_type
