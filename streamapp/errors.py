"""The errors of the app. A message is one line: what happened, where, and what to do."""


class StreamappError(Exception):
    """A condition that stops the program with one readable line.

    Attributes:
        exit_code: Exit code of the process.
    """

    exit_code = 1


class ConfigError(StreamappError):
    """A setting or an argument that cannot be right."""

    exit_code = 2


class StateError(StreamappError):
    """State in Redis and a topic in Kafka that contradict each other for good."""


class UnansweredError(StateError):
    """Kafka does not answer for longer than a broker needs to come back."""


class PositionMovedError(Exception):
    """The stored position is not where this process left it; the stage must be opened again.

    Attributes:
        expected: The position that this process stored last.
        found: The position that Redis holds.
    """

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"stored position moved: expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class ClaimLostError(PositionMovedError):
    """Another worker has claimed the slot; the stage must be opened again."""

    def __init__(self) -> None:
        Exception.__init__(self, "another worker has claimed the partition")


class GapError(Exception):
    """A read lacks a record; the next read may return it."""


class BadEventError(Exception):
    """An event that cannot be counted.

    Attributes:
        code: One of `streamapp.core.events.event_reader.CODES`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
