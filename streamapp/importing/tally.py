"""What becomes of the lines of files."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts what was read.

    Attributes:
        lines: Lines of files, without headers; rows of Parquet.
        counted: Events that count.
        skipped: Events of a type without a weight, by type.
        refused: Events and lines that cannot be counted, by code.
        examples: By code, the first refused event as JSON or text, and why.
    """

    lines: int = 0
    counted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)

    def refuse(self, code: str, message: str, example: str) -> None:
        """Count a refusal; keep the first example of its code, at most 200 characters."""
        self.refused[code] += 1
        self.examples.setdefault(code, (message, example.strip()[:200]))

    def skip(self, event_type: str) -> None:
        """Count an event of a type without a weight; name at most 100 types."""
        known = event_type in self.skipped or len(self.skipped) < _NAMED_TYPES
        self.skipped[event_type if known else "others"] += 1


_NAMED_TYPES = 100
