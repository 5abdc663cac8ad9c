"""Which errors of a produce request pass, and what an operator can do about the others.

Kafka calls an error retriable if the same request may succeed later. The client's own table lacks
some of them, and errors that it does not know; those are waited for too. Every other error would
come back for ever, so it ends the worker.
"""

from aiokafka import errors

from streamapp.errors import ConfigError


class InvalidRecordError(errors.BrokerResponseError):  # type: ignore[misc]
    """A broker refuses a record, such as one without a key on a compacted topic."""

    errno = 87
    description = "The broker refuses a record."


# By this table the client finds the class of a code; without an entry it is an unknown error.
errors.kafka_errors[InvalidRecordError.errno] = InvalidRecordError

_PASSING = (
    errors.BrokerNotAvailableError,
    errors.CorruptRecordException,
    errors.KafkaTimeoutError,
    errors.KafkaUnavailableError,
    errors.ListenerNotFound,
    errors.LogDirNotFound,
    errors.ReassignmentInProgress,
    errors.ReplicaNotAvailableError,
    errors.StaleControllerEpochError,
    errors.StaleLeaderEpochCodeError,
    # Also every code that the client does not know.
    errors.UnknownError,
)
"""Errors that pass although the client does not say so. A corrupt record was damaged on its way."""

TOO_LARGE = errors.MessageSizeTooLargeError, errors.RecordListTooLargeError
"""The errors of a message, or of a record batch, that its topic does not take."""


def passes(error: errors.KafkaError) -> bool:
    """Return whether the same request may succeed later."""
    return error.retriable or isinstance(error, _PASSING)


def refusal(topic: str, size: int, error: errors.KafkaError) -> ConfigError:
    """Return the error that ends the worker because Kafka refuses messages for good.

    Args:
        topic: The topic.
        size: Bytes of the record batch that was refused; 0 if there was none.
        error: The answer, which does not pass.
    """
    name = type(error).__name__
    if isinstance(error, TOO_LARGE):
        return ConfigError(
            f"{topic} does not take a message of {size:,} bytes ({name}): set max.message.bytes of "
            "the topic to 16777216, as `streamapp topics` does"
        )
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return ConfigError(
            f"kafka does not let this worker write to {topic} ({name}): it needs the rights "
            "DESCRIBE and WRITE on the topic"
        )
    if isinstance(error, errors.InvalidTimestampError):
        return ConfigError(
            f"{topic} does not take the time of a message ({name}): set the clock of this machine, "
            "or set message.timestamp.type of the topic to LogAppendTime, as `streamapp topics` "
            "makes it"
        )
    if isinstance(error, InvalidRecordError):
        return ConfigError(
            f"{topic} does not take a message ({name}): check cleanup.policy of the topic; a "
            "compacted topic takes no message without a key"
        )
    reason = getattr(error, "description", "") or str(error)
    what = f" a record batch of {size:,} bytes" if size else " messages"
    return ConfigError(
        f"{topic} does not take{what}: {reason} ({name}); check the settings "
        "of the topic and the rights of this worker"
    )
