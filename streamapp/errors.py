"""Every error that a person may read: one line, what happened, where, what to do."""


class StreamappError(Exception):
    """A condition that stops the program with one readable line.

    Attributes:
        exit_code: What the process exits with.
    """

    exit_code = 1


class ConfigError(StreamappError):
    """A setting or an argument that cannot be right."""

    exit_code = 2


class StateError(StreamappError):
    """State in Redis or a topic in Kafka that does not fit the other, and cannot be made right."""


class UnansweredError(StateError):
    """Kafka does not answer for longer than it takes a broker to come back."""


class PositionMovedError(Exception):
    """The fence in Redis is not where this process left it; the partition must be opened anew.

    Attributes:
        expected: The position this process knew.
        found: The position that Redis holds.
    """

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"fence moved: expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class ClaimLostError(PositionMovedError):
    """Another process has claimed the slot; the partition must be opened anew."""

    def __init__(self) -> None:
        Exception.__init__(self, "another worker has claimed the partition")


class GapError(Exception):
    """A record is missing among those that were read; it may be there when they are read again."""


class BadEventError(Exception):
    """An event that cannot be counted.

    Attributes:
        code: One of `streamapp.core.events.event.CODES`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
