"""The rules for reading events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamapp.core.events.orders import MAX_ORDER_ITEMS


@dataclass(frozen=True, slots=True)
class EventRules:
    """How events are read; each field changes results.

    Attributes:
        types: Canonical type by every name that a type goes by, its own included.
        implied: Canonical type by topic, for events that leave `type` out.
        earliest_ts: Oldest event time in seconds.
        max_ahead_s: How far an event time may lie after the time of its record.
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
