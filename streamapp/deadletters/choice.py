"""Which dead letters a command is about."""

from dataclasses import dataclass

from streamapp.deadletters.letter import Letter


@dataclass(frozen=True, slots=True)
class Choice:
    """Chooses dead letters by what they say.

    Attributes:
        codes: The codes; empty for all.
        since_ms: The earliest time at which a letter was made, in milliseconds; -1 for any, which
            is also what Kafka says of a record without a time.
    """

    codes: frozenset[str] = frozenset()
    since_ms: int = -1

    def takes(self, letter: Letter) -> bool:
        """Say whether a letter is chosen."""
        return letter.made_ms >= self.since_ms and (not self.codes or letter.code in self.codes)
