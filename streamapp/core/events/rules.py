"""What is known before an event is read: the rules, the codes of refusals, and who takes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from streamapp.core.events.orders import MAX_ORDER_ITEMS
from streamapp.core.histories.event_types import NO_ORDER

NOBODY = ""
"""The user of an interaction that counts for popularity alone: no user has this id."""

NO_ITEM = ""
"""The item of an event that names none, such as the refund of a whole order: no item has this id.
"""

CODES = {
    "null_value": "the record has no value",
    "too_large": "the value is larger than MAX_RECORD_BYTES",
    "schema_registry_frame": "the value is framed by a schema registry (first byte 0)",
    "not_utf8": "the value is not UTF-8",
    "not_json": "the value is not JSON",
    "not_finite": "a number is not finite (NaN or infinity)",
    "too_deep": "the value is nested too deeply",
    "not_an_event": "the value or an element is not a JSON object",
    "missing_id": "user_id or item_id is missing or empty",
    "invalid_id": "user_id, item_id or order_id is neither a string nor an integer",
    "id_too_long": "user_id, item_id or order_id has more than 512 bytes",
    "invalid_type": "type is not a string, or missing or empty where the topic implies none",
    "invalid_items": "items is not an array of products",
    "order_too_large": "an order names more than MAX_ORDER_ITEMS items; the first ones count",
    "other_format": "the event has another format than EVENT_FORMATS names for its topic",
    "invalid_ts": "ts is neither a number nor an ISO 8601 date",
    "ts_out_of_range": "ts lies before EARLIEST_TS or after now plus MAX_AHEAD_S",
    "key_mismatch": "the record's key is not its user_id",
}
"""Every code that a dead letter may carry, and what it means."""


class Record(Protocol):
    """A record as a Kafka client hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class EventRules:
    """How events are read; each field changes results.

    Attributes:
        types: Canonical type by every name that a type goes by, its own included.
        implied: Canonical type by topic, for events that leave `type` out.
        earliest_ts: Oldest event time in seconds.
        max_ahead_s: How far an event time may lie after now.
        max_record_bytes: Largest value.
        check_keys: Whether a record's key must be its user id.
        formats: Format by topic; `flat` where a topic is not named.
        max_order_items: Most distinct items of an order that count.
        ignored_users: Users whose interactions count for popularity alone.
    """

    types: Mapping[str, str]
    implied: Mapping[str, str]
    earliest_ts: float
    max_ahead_s: float
    max_record_bytes: int
    check_keys: bool
    formats: Mapping[str, str] = field(default_factory=dict)
    max_order_items: int = MAX_ORDER_ITEMS
    ignored_users: frozenset[str] = frozenset()


class Sink(Protocol):
    """Takes what was read."""

    def add(
        self,
        offset: int,
        user: str,
        item: str,
        event_type: str,
        ts: float,
        order: float = NO_ORDER,
    ) -> None:
        """Take an interaction; `event_type` is its canonical type, `order` the number of its order.

        Where `user` is `NOBODY`, it counts for popularity alone.
        """

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Take an event of a type that nobody knows."""


class Projected(NamedTuple):
    """What a projection makes of an event.

    Attributes:
        user: The user, or what takes the user's place.
        item: The item; `NO_ITEM` where the event names none.
        order: The number of the order.
    """

    user: str
    item: str
    order: float = NO_ORDER


Project: TypeAlias = Callable[[Mapping[str, Any], str, str, str, float], Projected | None]
"""Given the element, its user, its item, its canonical type and its order: what it is in another
projection, or None where that leaves the event out; raises `BadEventError` to refuse it."""


class Refusal(NamedTuple):
    """A record, or one element of it, that cannot be counted.

    Attributes:
        record: The record.
        value: What cannot be counted, byte for byte.
        code: One of `CODES`.
        message: Why, for people.
    """

    record: Record
    value: bytes | None
    code: str
    message: str
