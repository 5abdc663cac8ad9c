"""Only a letter that is right to send again, and would count, is replayed."""

from typing import Any

import pytest

from streamapp.agents.runtime.dead_letter import dead_letter
from streamapp.config.rules import event_rules
from streamapp.core.events.event_reader import EventReader
from streamapp.deadletters.letter import Letter, read_letter
from streamapp.deadletters.replay_rule import MAX_REPLAYS, ReplayRule, replay_of
from streamapp.transport.records import TP
from tests.support.reading import NOW, Record, Said
from tests.unit.deadletters.letters import LETTERS, letters_of, settings, stored

EVENT = {"user_id": "u1", "item_id": "a", "ts": NOW}
BAD = {"user_id": "u1", "item_id": "", "ts": NOW}
CALL = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "u1",
    "timestamp": NOW,
    "properties": {"product_id": "a"},
}


def reason(letter: Letter, partitions: int = 2, **chosen: Any) -> str:
    """Return the reason against a letter; "" if it is replayed."""
    rule = ReplayRule(settings(**chosen), {"clicks": partitions, "purchases": partitions})
    objection = rule.objection(letter, NOW)
    return "" if objection is None else objection.reason


def test_a_record_that_the_settings_of_now_accept_is_replayed() -> None:
    """And stays as long as they refuse it, with the code of now."""
    (letter,) = letters_of(EVENT, b"someone else")
    assert letter.code == "key_mismatch"
    assert reason(letter) == "refused_again:key_mismatch"
    assert reason(letter, key_mismatch="accept") == ""
    (call,) = letters_of(CALL)
    assert call.code == "other_format"
    assert reason(call) == "refused_again:other_format"
    assert reason(call, event_formats={"clicks": "segment"}) == ""
    assert reason(call, event_formats={"clicks": "ga4"}) == "refused_again:other_format"


def test_an_event_that_was_ahead_of_the_clock_is_replayed_when_its_time_has_come() -> None:
    """It is sent with another time, which bounds it."""
    (letter,) = letters_of({**EVENT, "ts": NOW + 90_000})
    rule = ReplayRule(settings(), {"clicks": 2})
    assert letter.code == "ts_out_of_range"
    objection = rule.objection(letter, NOW)
    assert objection is not None
    assert objection.reason == "refused_again:ts_out_of_range"
    assert rule.objection(letter, NOW + 90_000) is None
    assert replay_of(letter).timestamp_ms is None


def test_an_event_without_a_weight_would_not_count_and_stays() -> None:
    """A worker would skip it without a letter."""
    (letter,) = letters_of({**EVENT, "type": "add_to_cart"}, b"someone else")
    without = {"click": 1.0, "purchase": 5.0}
    assert reason(letter, key_mismatch="accept") == ""
    assert reason(letter, key_mismatch="accept", event_weights=without) == "skipped"


@pytest.mark.parametrize("value", [[EVENT, BAD], {"events": [EVENT, BAD]}])
def test_an_event_of_an_array_is_replayed_alone(value: Any) -> None:
    """It says the same alone, and its neighbours have counted."""
    (letter,) = letters_of([EVENT, {**EVENT, "user_id": "u2"}])
    assert (letter.code, letter.part) == ("key_mismatch", "event")
    assert reason(letter, key_mismatch="accept") == ""
    (bad,) = letters_of(value)
    assert (bad.part, reason(bad)) == ("event", "refused_again:missing_id")


def test_an_event_of_a_segment_batch_is_replayed_alone() -> None:
    """The envelope of a batch says nothing about its events."""
    formats = {"clicks": "segment"}
    (letter,) = letters_of({"batch": [CALL, {**CALL, "userId": "u2"}]}, event_formats=formats)
    assert (letter.code, letter.part) == ("key_mismatch", "event")
    assert reason(letter, event_formats=formats, key_mismatch="accept") == ""


def test_an_event_that_needs_its_envelope_stays() -> None:
    """Alone it would have no user, or another one."""
    formats = {"clicks": "ga4"}
    view = {"name": "view_item", "params": {"items": [{"item_id": "a"}]}}
    (letter,) = letters_of({"client_id": "u2", "events": [view]}, event_formats=formats)
    assert (letter.code, letter.part) == ("key_mismatch", "enclosed")
    assert reason(letter, event_formats=formats, key_mismatch="accept") == "enclosed"


def test_a_line_of_an_order_stays() -> None:
    """Also one that looks like an event of its own, which might be of another type."""
    line = {**EVENT, "item_id": None}
    order = {"user_id": "u1", "type": "purchase", "ts": NOW, "items": [{"item_id": "a"}, line]}
    (letter,) = letters_of(order)
    assert (letter.part, reason(letter)) == ("line", "line")


def test_what_has_counted_in_part_stays() -> None:
    """An order with too many items, and a record with too many bad parts."""
    order = {"user_id": "u1", "ts": NOW, "items": [{"item_id": str(n)} for n in range(4)]}
    (letter,) = letters_of(order, max_order_items=3)
    assert (letter.code, letter.part) == ("order_too_large", "rest")
    assert reason(letter) == "rest"
    *parts, rest = letters_of([1] * 150)
    assert {one.part for one in parts} == {"event"}
    assert (rest.part, reason(rest)) == ("rest", "rest")
    # Letters of a version before the header say it by their count alone.
    assert reason(rest._replace(part="")) == "rest"


def test_a_letter_that_was_cut_stays() -> None:
    """The record is no longer there."""
    (letter,) = letters_of({**EVENT, "x": "x" * 9_000}, b"someone else", most=4_096)
    assert reason(letter, key_mismatch="accept") == "cut"


def test_records_of_the_catalogue_stay() -> None:
    """The last record of an item counts, and an old one must not become the last."""
    (letter,) = letters_of(EVENT, b"someone else")
    product = letter._replace(source=TP("products", 0))
    assert reason(product, catalogue_topic="products") == "catalogue"


def test_a_source_that_is_gone_is_named() -> None:
    """A topic that is no longer read, or has fewer partitions than then."""
    (letter,) = letters_of(EVENT, b"someone else")
    assert reason(letter, key_mismatch="accept", event_topics=("purchases",)) == "no_topic"
    assert reason(letter, 1, key_mismatch="accept") == "no_partition"


def test_a_replay_sends_key_value_headers_and_time_and_counts_itself() -> None:
    """An event without a time keeps the one that it had."""
    headers = [("trace", b"t"), ("replay.count", b"1"), ("ce_id", b"7")]
    (letter,) = letters_of(b"no json", b"key", headers, timestamp=1_650_000_000_123)
    assert replay_of(letter) == (
        b"no json",
        b"key",
        1_650_000_000_123,
        [("trace", b"t"), ("ce_id", b"7"), ("replay.count", b"2")],
    )


def test_a_record_without_a_time_is_sent_with_that_of_now() -> None:
    """Kafka says -1 of it."""
    (letter,) = letters_of(b"no json", timestamp=-1)
    assert replay_of(letter).timestamp_ms is None


def test_a_record_that_fails_each_time_comes_back_with_its_count_until_the_bound() -> None:
    """The operator's settings accept it, and those of the worker do not."""
    (letter,) = letters_of(EVENT, b"someone else")
    worker = EventReader(event_rules(settings()), "clicks")
    for count in range(MAX_REPLAYS):
        assert (letter.replays, reason(letter, key_mismatch="accept")) == (count, "")
        sent = replay_of(letter)
        record = Record(sent.value, sent.headers, sent.key)
        (refusal,) = worker.read([record], Said())
        again = read_letter(LETTERS, stored(dead_letter(TP("clicks", 1), refusal)))
        assert again is not None
        letter = again
    assert reason(letter, key_mismatch="accept") == "replayed_often"
