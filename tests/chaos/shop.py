"""The records that trackers send in a run: clicks, carts, purchases, repeats, late and bad events.

Now and then an item is sold out, taken out of the catalogue, or available again, or moves to
another category.

A record that must become a dead letter says so in a header, which dead letters keep. So a reader of
the topics knows what is expected without the rules under test.
"""

import random
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import orjson

from tests.integration.traffic import Act, synthetic

NUMBER = "chaos.number"
"""Header: the number of the record, from 0."""

LETTER = "chaos.letter"
"""Header: the code of the dead letter that the whole record must become."""

_ITEMS = 90
_EVENTS = 10_000_000
_STRANGE = 0.03
"""Share of records that are not simply one good event."""

CATALOGUE = "catalogue"
"""Short name of the topic of the catalogue."""

_TURNS = 0.02
"""There is one catalogue record for this many events."""

_Headers = list[tuple[str, bytes]]


class Tracked(NamedTuple):
    """A record to produce.

    Attributes:
        topic: Short name of the topic.
        key: The user.
        value: The event, or bytes that are no valid event.
        headers: The expected outcome.
        events: How many events it holds, good or bad.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: _Headers
    events: int


def records(seed: int, topics: tuple[str, ...], *, catalogue: bool = False) -> Iterator[Tracked]:
    """Yield the records of a seed; there is no end."""
    chance = random.Random(f"{seed}/shop")  # noqa: S311 - a shop, not a secret
    turning, numbers = random.Random(f"{seed}/catalogue"), count()  # noqa: S311
    for act in synthetic(seed, _EVENTS, items=_ITEMS):
        if catalogue and turning.random() < _TURNS:
            yield _turn(turning, act.item, [(NUMBER, b"%d" % next(numbers))])
        topic = topics[-1] if act.type == "purchase" else topics[0]
        headers = [(NUMBER, b"%d" % next(numbers))]
        if chance.random() < _STRANGE:
            yield _strange(chance, act, topic, headers)
        else:
            yield Tracked(topic, act.user.encode(), orjson.dumps(_event(act)), headers, 1)


def _strange(chance: random.Random, act: Act, topic: str, headers: _Headers) -> Tracked:
    """Return a record that holds several events, no event, or a bad event."""
    event, key = _event(act), act.user.encode()
    if chance.random() < 1 / 2:
        content, events = chance.choice((
            ([event, event | {"type": "purchase"}], 2),
            ({"events": [event, event]}, 2),
            ([event, event | {"item_id": ""}], 2),
            (event | {"type": "scroll"}, 1),
        ))  # fmt: skip
        return Tracked(topic, key, orjson.dumps(content), headers, events)
    good = orjson.dumps(event)
    code, bad_key, bad = chance.choice((
        ("not_json", key, good[:-1]),
        ("key_mismatch", b"nobody", good),
        ("null_value", key, None),
        ("ts_out_of_range", key, orjson.dumps(event | {"ts": 12.5})),
    ))  # fmt: skip
    return Tracked(topic, bad_key, bad, [*headers, (LETTER, code.encode())], 1)


def _turn(chance: random.Random, item: str, headers: _Headers) -> Tracked:
    """Return a catalogue record, of the item or of a product that no user ever clicks."""
    content = chance.choice((None, {"available": False}, {"available": True}, {}))
    item = chance.choice((item, f"new-{item}"))
    category = chance.choice(("", "tents", "lamps", "pots"))
    about = {"item_id": item, "title": f"{item[-1]} of {item[:3]}", "category": category}
    value = None if content is None else orjson.dumps({**about, **content})
    return Tracked(CATALOGUE, item.encode(), value, headers, 0)


def _event(act: Act) -> dict[str, object]:
    event: dict[str, object] = {
        "user_id": act.user, "item_id": act.item, "type": act.type, "ts": act.ts,
    }  # fmt: skip
    if act.type == "purchase" and act.ts % 3:
        event["order_id"] = f"{act.user}/{act.ts % 7:g}"
    return event
