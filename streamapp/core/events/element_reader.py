"""Reads one event in the flat form: the interactions that it is, or why it cannot be counted."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from streamapp.core.events.fallback_json import Unreadable
from streamapp.core.events.formats.format import Format
from streamapp.core.events.formats.known_formats import FLAT, foreign_format, other_format
from streamapp.core.events.interaction_sink import NO_ITEM, NOBODY, InteractionSink
from streamapp.core.events.orders import PartlyRefusedError, is_wide, order_items
from streamapp.core.events.projection import Projected, Projection
from streamapp.core.events.record import Record
from streamapp.core.events.refusals import CODES
from streamapp.core.events.rules import EventRules
from streamapp.core.events.values.ids import checked_id
from streamapp.core.events.values.timestamps import SECONDS_UP_TO, parse_timestamp, scaled
from streamapp.core.events.values.type_names import TypeNames
from streamapp.core.histories.event_types import FORGET, MERGE, NO_ORDER, PURCHASE, REFUND
from streamapp.core.histories.marks import order_number
from streamapp.errors import BadEventError

# Integers: comparing an integer with a float takes longer.
_SECONDS_UP_TO, _MILLISECONDS_UP_TO = 10**11, 10**14

_SPECIAL = frozenset({PURCHASE, REFUND, FORGET, MERGE})
"""Types whose events name an order, or nothing but users."""


class ElementReader:
    """Reads events of one topic that came in one format.

    Args:
        rules: How events are read.
        topic: The topic of its records.
        form: The format in which they came.
    """

    def __init__(self, rules: EventRules, topic: str, form: Format = FLAT) -> None:
        self._names = TypeNames(rules.types, form)
        self._types = self._names.types
        self._implied = rules.implied.get(topic, "")
        self._form = form
        self._earliest_ts = rules.earliest_ts
        self._check_keys = rules.check_keys
        self._ignored = rules.ignored_users
        self._max_order_items = rules.max_order_items

    def take(
        self,
        element: Any,
        record: Record,
        latest_ts: float,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]] = (),
        *,
        exact: bool = False,
    ) -> None:
        """Give the interactions of one event to `sink`, and their projections to theirs.

        Args:
            element: The event.
            record: The record that holds it.
            latest_ts: Newest event time allowed, in seconds.
            sink: Takes interactions and unknown types.
            projections: The projections of each further kind, and the sinks that take them.
            exact: Whether integers of any size were read as integers.

        Raises:
            PartlyRefusedError: some lines of an order cannot be counted; the others were.
            BadEventError: the element cannot be counted.
        """
        if type(element) is not dict:
            raise _no_event(element)
        get = element.get
        user, item, name, ts = get("user_id"), get("item_id"), get("type"), get("ts")
        if type(name) is not str or not name:
            name = self._implied_type(name)
        event_type = self._types.get(name) or self._spelled(name)
        if not event_type:
            # The fields of an unknown type are unknown, so the event is not checked further.
            self._refuse_other_format(element)
            sink.skip(record.offset, user if type(user) is str else "", name)
            return
        if type(user) is not str or not user or len(user) > 128:
            user = _user(element)
        order = NO_ORDER
        if event_type in _SPECIAL:
            if event_type == FORGET:
                self._take_forget(record, user, sink, projections)
                return
            if event_type == MERGE:
                self._take_merge(element, record, user, sink, projections)
                return
            order = _order(element, event_type, exact=exact)
        if type(item) is not str or not item or len(item) > 128:
            # Without an item it is an order, or the refund of one.
            empty = item is None or item == ""
            has_order = get("items") is not None or (event_type == REFUND and order)
            item = NO_ITEM if empty and has_order else checked_id("item_id", item)
        if type(ts) is float:
            if ts > SECONDS_UP_TO:
                ts = scaled(ts)
        elif type(ts) is int and 0 <= ts <= _MILLISECONDS_UP_TO:
            ts = float(ts) if ts <= _SECONDS_UP_TO else ts / 1000
        else:
            ts = _seconds(ts, record)
        if not self._earliest_ts <= ts <= latest_ts:
            ts = scaled(ts)
            if not self._earliest_ts <= ts <= latest_ts:
                raise _out_of_range(ts, latest_ts)
        if self._check_keys and record.key != user.encode():
            raise BadEventError("key_mismatch", CODES["key_mismatch"])
        if self._ignored and user in self._ignored:
            user = NOBODY
        if not item and get("items") is not None:
            self._take_order(
                element, record, user, event_type, ts, order, sink, projections, exact=exact
            )
            return
        if projections:
            # First, for each may refuse the event.
            for own, found in _projected(projections, element, user, item, event_type, order):
                own.add(record.offset, found.user, found.item, event_type, ts, found.order)
        sink.add(record.offset, user, item, event_type, ts, order)

    def _take_forget(
        self,
        record: Record,
        user: str,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
    ) -> None:
        """Take an event that forgets a user, whatever its time is."""
        if self._check_keys and record.key != user.encode():
            raise BadEventError("key_mismatch", CODES["key_mismatch"])
        if user in self._ignored:
            return
        _leave(record, user, NOBODY, sink, projections)

    def _take_merge(
        self,
        element: Mapping[str, Any],
        record: Record,
        user: str,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
    ) -> None:
        """Take an event that merges another user into this one, whatever its time is.

        The record may have the key of either: that of the other one keeps the event behind the
        events of the user who leaves.
        """
        other = checked_id("from", element.get("from"))
        if self._check_keys and record.key not in {user.encode(), other.encode()}:
            raise BadEventError("key_mismatch", CODES["key_mismatch"])
        if other == user or not self._ignored.isdisjoint((user, other)):
            return
        _leave(record, other, user, sink, projections)

    def _take_order(
        self,
        element: Mapping[str, Any],
        record: Record,
        user: str,
        event_type: str,
        ts: float,
        order: float,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
        *,
        exact: bool,
    ) -> None:
        self._refuse_other_format(element)
        items, refused = order_items(element["items"], self._max_order_items, exact=exact)
        projected = [
            _projected(projections, element, user, item, event_type, order) for item in items
        ]
        for item, some in zip(items, projected, strict=True):
            for own, found in some:
                own.add(record.offset, found.user, found.item, event_type, ts, found.order)
            sink.add(record.offset, user, item, event_type, ts, order)
        if refused:
            raise PartlyRefusedError(refused)

    def _implied_type(self, name: Any) -> str:
        if (name is not None and name != "") or not self._implied:
            raise BadEventError("invalid_type", CODES["invalid_type"])
        return self._implied

    def _spelled(self, name: str) -> str | None:
        if name.isspace():
            return self._types.get(self._implied_type(""))
        return self._names.spelled(name)

    def _refuse_other_format(self, element: Mapping[str, Any]) -> None:
        """Refuse an event that nobody translated although it looks like one of another format."""
        found = foreign_format(element) if self._form is FLAT else ""
        if found:
            raise other_format(found, FLAT.name)


def _leave(
    record: Record,
    user: str,
    into: str,
    sink: InteractionSink,
    projections: Sequence[tuple[Projection, InteractionSink]],
) -> None:
    """End the history of a user, of each kind; another user takes it over if `into` names one."""
    for project, own in projections:
        gone = project({}, user, NO_ITEM, FORGET, NO_ORDER)
        heir = project({}, into, NO_ITEM, FORGET, NO_ORDER) if into else None
        if gone is not None:
            own.leave(record.offset, gone.user, heir.user if heir else NOBODY, record.timestamp)
    sink.leave(record.offset, user, into, record.timestamp)


def _no_event(element: Any) -> BadEventError:
    if type(element) is Unreadable:
        return element.error
    if isinstance(element, BadEventError):
        return element
    return BadEventError("not_an_event", CODES["not_an_event"])


def _out_of_range(ts: float, latest_ts: float) -> BadEventError:
    if latest_ts == -math.inf:
        return BadEventError("ts_out_of_range", "the record has no timestamp to compare ts with")
    return BadEventError("ts_out_of_range", f"ts is {ts:.3f} seconds")


def _user(element: Mapping[str, Any]) -> str:
    """Return the id of the user, or of the visitor where no user is named."""
    user = element.get("user_id")
    if user is None or user == "":
        visitor = element.get("anonymous_id")
        if visitor is not None and visitor != "":
            return checked_id("anonymous_id", visitor)
    return checked_id("user_id", user)


def _order(element: Mapping[str, Any], event_type: str, *, exact: bool) -> float:
    """Return the number of the order that an event names.

    Raises:
        BadEventError: a refund names no valid order, or an order may not have been read exactly.
    """
    order = element.get("order_id")
    if order is None or order == "":
        return NO_ORDER
    try:
        return order_number(checked_id("order_id", order))
    except BadEventError:
        if event_type == REFUND or (not exact and is_wide(order)):
            raise
        return NO_ORDER


def _seconds(ts: Any, record: Record) -> float:
    found = parse_timestamp(ts)
    if found is not None:
        return found
    if record.timestamp < 0:
        # Kafka says -1 of a record without a time.
        raise BadEventError("ts_out_of_range", "ts is left out, and the record has no time")
    return record.timestamp / 1000.0


def _projected(
    projections: Sequence[tuple[Projection, InteractionSink]],
    element: Mapping[str, Any],
    user: str,
    item: str,
    event_type: str,
    order: float,
) -> list[tuple[InteractionSink, Projected]]:
    """Return what each projection makes of an event that it takes, and who gets it."""
    made = [(own, project(element, user, item, event_type, order)) for project, own in projections]
    return [(own, found) for own, found in made if found is not None]
