"""What the arguments of `streamapp deadletters` mean."""

import time
from typing import Any

import pytest

from streamapp.cli.deadletters.arguments import address_of, choice_of, letter_topics
from streamapp.config.settings import Settings
from streamapp.transport.records import TP


def settings(**chosen: Any) -> Settings:
    """Return settings."""
    return Settings(_env_file=None, **chosen)


@pytest.mark.parametrize(
    ("text", "ago_s"), [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)]
)
def test_a_time_may_be_so_long_ago(text: str, ago_s: int) -> None:
    """By the clock of this machine."""
    before = time.time()
    since = choice_of((), text).since_ms / 1_000
    assert before - ago_s - 0.01 <= since <= time.time() - ago_s


@pytest.mark.parametrize(
    ("text", "since_ms"),
    [
        ("", -1),
        ("2023-11-14T22:13:20.250Z", 1_700_000_000_250),
        ("2023-11-14", 1_699_920_000_000),
        ("1700000000", 1_700_000_000_000),
        ("1700000000250", 1_700_000_000_250),
    ],
)
def test_a_time_may_be_a_date_or_a_number(text: str, since_ms: int) -> None:
    """By the rule for times of events; a date is in UTC."""
    assert choice_of((), text).since_ms == since_ms


def test_a_topic_is_named_by_its_records_or_by_its_letters() -> None:
    """Without a name it is every topic that may have letters."""
    chosen = settings(catalogue_topic="products", dead_letter_suffix="-bad")
    assert letter_topics(chosen, "") == ["clicks-bad", "purchases-bad", "products-bad"]
    for name in ("products", "products-bad"):
        assert letter_topics(chosen, name) == ["products-bad"]
    assert letter_topics(settings(), "") == ["clicks.dlq", "purchases.dlq"]


@pytest.mark.parametrize(
    ("text", "topic"), [("clicks:3:17", ""), ("clicks.dlq:3:17", "purchases"), ("3:17", "clicks")]
)
def test_an_address_names_topic_partition_and_offset(text: str, topic: str) -> None:
    """The topic may come from the option."""
    assert address_of(settings(), text, topic) == (TP("clicks.dlq", 3), 17)


def test_where_one_topic_has_letters_an_address_needs_no_topic() -> None:
    """There is only one to mean."""
    chosen = settings(event_topics=("clicks",), topic_types={"clicks": "click"})
    assert address_of(chosen, "3:17", "") == (TP("clicks.dlq", 3), 17)
