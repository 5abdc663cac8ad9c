"""What a file gives: portions of columns or of elements, and rows that it cannot read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Portion(NamedTuple):
    """Some neighbouring lines of a file.

    Attributes:
        columns: pyarrow arrays of one length by field; empty if there are `elements`.
        elements: Flat events with the names that the file gives to types.
        unreadable: Code and text of each line that is no event.
        done: Bytes of the file that were read so far, about.
        lines: The number of lines.
    """

    columns: Mapping[str, Any]
    elements: Sequence[Any]
    unreadable: Sequence[tuple[str, str]]
    done: int
    lines: int


class Source(Protocol):
    """A file of events.

    Attributes:
        size: Bytes of the file.
    """

    size: int

    def check(self) -> None:
        """Refuse a file that cannot be read to its end.

        Raises:
            ConfigError: it is malformed; names the line.
        """

    def portions(self) -> Iterator[Portion]:
        """Yield the file from its begin.

        Raises:
            ConfigError: it cannot be read, or lacks a column.
        """
