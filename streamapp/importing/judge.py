"""Judges events as the app will, before they are sent."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.arrays.array_types import Bools, Floats
from streamapp.core.events.element_reader import ElementReader
from streamapp.core.events.formats.format import Format
from streamapp.core.events.formats.known_formats import AUTO, FLAT, FORMATS
from streamapp.core.events.formats.translate import translate
from streamapp.core.events.interaction_counter import InteractionCounter
from streamapp.core.events.values.type_names import TypeNames
from streamapp.core.histories.event_types import FORGET, MERGE, REFUND
from streamapp.errors import BadEventError
from streamapp.importing.columns import as_text, is_empty, is_id, seconds
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.router import Router
from streamapp.importing.source import Portion
from streamapp.importing.tally import Tally

_APART = {None, REFUND, FORGET, MERGE}
"""Types whose events need more, or less, than a user and an item."""


class Accepted(NamedTuple):
    """Events that count, in the order of the file.

    Attributes:
        topics: The topic of each.
        keys: Their users in UTF-8.
        values: The events as JSON; empty where only counts were asked for.
    """

    topics: list[str]
    keys: list[bytes]
    values: list[bytes]


class _Event(msgspec.Struct, omit_defaults=True):
    """An event with one item."""

    user_id: str
    item_id: str
    type: str
    ts: float | None = None
    order_id: str | None = None


class _Record:
    """The record of an event that would be sent now."""

    def __init__(self) -> None:
        self.timestamp = int(time.time() * 1000)
        self.offset = 0
        self.key: bytes | None = None
        self.value: bytes | None = None


class Judge:
    """Finds the events of portions that count, and tallies the others.

    Whole columns show which rows count for sure. All others are read one by one by the reader of
    the app, so every verdict is that of the app.

    Args:
        settings: The rules.
        router: Chooses the topics.
        mapping: The names of types.
    """

    def __init__(self, settings: Settings, router: Router, mapping: FieldMapping) -> None:
        # A key is always the user id here.
        self._rules = replace(event_rules(settings), check_keys=False)
        self._router = router
        self._mapping = mapping
        self._readers = {
            (topic, name): ElementReader(self._rules, topic, form)
            for topic in router.topics
            for name, form in FORMATS.items()
        }
        self._names = {name: TypeNames(self._rules.types, form) for name, form in FORMATS.items()}
        self._record = _Record()
        self._latest_ts = self._record.timestamp / 1000 + settings.max_ahead_s
        self._encode = msgspec.json.Encoder().encode
        self.tally = Tally()

    def take(self, portion: Portion, *, encodes: bool) -> Accepted:
        """Return the events of a portion that count.

        Args:
            portion: Read from a file.
            encodes: Whether to return them; otherwise they are counted only.

        Cost: 0.2 us a row of columns, 0.6 us more to encode it; 5 us for any other event.
        """
        self.tally.lines += portion.lines
        for why, text in portion.unreadable:
            self.tally.refuse(why, why, text)
        if portion.columns:
            return self._take_columns(portion.columns, encodes=encodes)
        found = Accepted([], [], [])
        for value in portion.elements:
            for topic, element in self._counting(value):
                if encodes:
                    _append(found, topic, element)
        return found

    def _take_columns(self, given: Mapping[str, Any], *, encodes: bool) -> Accepted:
        columns = {
            name: column if name == "ts" else as_text(column) for name, column in given.items()
        }
        size = len(next(iter(columns.values())))
        ts = seconds(columns["ts"]) if "ts" in columns else None
        users = _users(columns, size)
        types, topics, known = self._types(columns, size)
        sure = known & is_id(users) & is_id(columns["item_id"])
        if ts is not None:
            sure &= (ts >= self._rules.earliest_ts) & (ts <= self._latest_ts)
        order = columns.get("order_id")
        if order is not None and not pa.types.is_string(order.type):
            # Only where there is none: a float, say, is judged by itself.
            sure &= pc.is_null(order).to_numpy(zero_copy_only=False)
        found = Accepted([], [], [])
        self.tally.counted += int(sure.sum())
        if encodes and sure.any():
            found = self._encoded(users, columns, types, topics, ts, sure)
        if sure.all():
            return found
        others = self._others(columns, types, ts, ~sure)
        return _merged(found, others, sure) if encodes else found

    def _types(self, columns: Mapping[str, Any], size: int) -> tuple[Any, Any, Bools]:
        """Return the type of each row, its topic, and which rows have a plain type."""
        names: list[str | None]
        if "type" not in columns:
            names, places = [self._mapping.fixed_type], np.zeros(size, np.int64)
        elif pa.types.is_string(columns["type"].type):
            encoded = columns["type"].dictionary_encode()
            names = [*encoded.dictionary.to_pylist(), None]
            places = pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)
        else:
            names, places = [None], np.zeros(size, np.int64)
        ours = [name and self._mapping.types.get(name, name) for name in names]
        plain = [self._rules.types.get(name or "") not in _APART for name in ours]
        topics = [self._router.topic(name) for name in ours]
        return (
            np.array(ours, object)[places],
            np.array(topics, object)[places],
            np.array(plain)[places],
        )

    def _encoded(
        self,
        users: Any,
        columns: Mapping[str, Any],
        types: Any,
        topics: Any,
        ts: Floats | None,
        sure: Bools,
    ) -> Accepted:
        mask = pa.array(sure)
        texts = [_objects(one.filter(mask)) for one in (users, columns["item_id"])]
        # An event without a time has that of its record.
        times = [None] * len(texts[0]) if ts is None else ts[sure].tolist()
        fields = [*texts, types[sure].tolist(), times]
        if "order_id" in columns and pa.types.is_string(columns["order_id"].type):
            fields.append([order or None for order in _objects(columns["order_id"].filter(mask))])
        keys = _objects(users.filter(mask).cast(pa.binary()))
        return Accepted(topics[sure].tolist(), keys, list(map(self._encode, map(_Event, *fields))))

    def _others(
        self, columns: Mapping[str, Any], types: Any, ts: Floats | None, which: Bools
    ) -> list[list[tuple[str, dict[str, Any]]]]:
        """Read rows one by one; return, for each, the events that it is."""
        mask = pa.array(which)
        rows = {name: column.filter(mask).to_pylist() for name, column in columns.items()}
        rows["type"] = types[which].tolist()
        if ts is not None:
            # A time that was read is one; anything else is judged as it is.
            rows["ts"] = [
                known if known == known else value  # noqa: PLR0124 - NaN is not itself
                for known, value in zip(ts[which].tolist(), rows["ts"], strict=True)
            ]
        elements = (dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True))
        return [list(self._counting(element)) for element in elements]

    def _counting(self, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the events of a value that count, in the flat form, each with its topic."""
        if type(value) is dict and "item_id" in value:
            found = [(value, FLAT)]
        else:
            found = [(event.element, event.format) for event in translate(value, AUTO)]
        for given, form in found:
            element, name = self._named(given, form) if type(given) is dict else (given, None)
            topic = self._router.topic(name)
            if self._counts(element, topic, form.name):
                yield topic, element

    def _named(self, element: dict[str, Any], form: Format) -> tuple[dict[str, Any], str | None]:
        """Return an event with our name of its type, and that name."""
        given = element.get("type")
        if type(given) is not str:
            return element, None
        name = self._mapping.types.get(given, given)
        names = self._names[form.name]
        name = names.types.get(name) or names.spelled(name) or name
        return (element if name == given else element | {"type": name}), name

    def _counts(self, element: Any, topic: str, form: str) -> bool:
        read = InteractionCounter()
        try:
            self._readers[topic, form].take(element, self._record, self._latest_ts, read)
        except BadEventError as error:
            if not read.interactions:
                # Only the first example of a code is kept, so no other is written.
                is_new = error.code not in self.tally.examples
                self.tally.refuse(error.code, str(error), _shown(element) if is_new else "")
        if read.skipped is not None:
            self.tally.skip(read.skipped)
        self.tally.counted += read.interactions > 0
        return read.interactions > 0


def _users(columns: Mapping[str, Any], size: int) -> Any:
    """Return the user of each row, or the visitor where no user is named."""
    user, visitor = columns.get("user_id"), columns.get("anonymous_id")
    if user is None or visitor is None:
        return visitor if user is None else user
    if not (pa.types.is_string(user.type) and pa.types.is_string(visitor.type)):
        return pa.nulls(size)
    return pc.if_else(is_empty(user), visitor, user)


def _objects(column: Any) -> list[Any]:
    found: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return found


def _append(found: Accepted, topic: str, element: Mapping[str, Any]) -> None:
    user = element.get("user_id") or element.get("anonymous_id")
    if element.get("type") == MERGE:
        # Behind the events of the user who leaves.
        user = element.get("from")
    found.topics.append(topic)
    found.keys.append(str(user).encode())
    try:
        found.values.append(orjson.dumps(element))
    except orjson.JSONEncodeError:
        # An integer of 2^64 or more.
        found.values.append(json.dumps(element).encode())


def _merged(
    plain: Accepted, others: list[list[tuple[str, dict[str, Any]]]], sure: Bools
) -> Accepted:
    """Return both kinds of events in the order of their rows."""
    found, left, rest = Accepted([], [], []), zip(*plain, strict=True), iter(others)
    for is_plain in sure.tolist():
        if is_plain:
            topic, key, value = next(left)
            found.topics.append(topic)
            found.keys.append(key)
            found.values.append(value)
        else:
            for one, element in next(rest):
                _append(found, one, element)
    return found


def _shown(element: Any) -> str:
    return json.dumps(element, default=str, ensure_ascii=False)
