"""The names of the headers of a dead letter."""

CODE = "error.code"
MESSAGE = "error.message"
COUNT = "error.count"
SOURCE_TOPIC = "source.topic"
SOURCE_PARTITION = "source.partition"
SOURCE_OFFSET = "source.offset"
SOURCE_TIMESTAMP = "source.timestamp"
VALUE_BYTES = "value.bytes"
VALUE_PART = "value.part"
VERSION = "app.version"

ADDED = frozenset(
    {
        CODE,
        MESSAGE,
        COUNT,
        SOURCE_TOPIC,
        SOURCE_PARTITION,
        SOURCE_OFFSET,
        SOURCE_TIMESTAMP,
        VALUE_BYTES,
        VALUE_PART,
        VERSION,
    }
)
"""The headers that a worker may add to those of the record, each once."""

REPLAYS = "replay.count"
"""How often a record was replayed.

`streamapp deadletters replay` gives this header to the record. A worker keeps it as it keeps every
header of a record, so a record that fails again brings the count back.
"""
