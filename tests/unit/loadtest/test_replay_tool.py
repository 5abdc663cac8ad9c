"""The replay tool: when an event is due, where it goes, and in which order."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner

from loadtest.precheck import count_events
from loadtest.replay import Replay, Summary, encode
from loadtest.schedule import Schedule, at_once, at_rate, at_speedup, choose
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StreamappError
from streamapp.eventlog import LoggedEvent
from streamapp.importing.router import Router
from streamapp.transport.producer import Outgoing, Producer


def settings() -> Settings:
    """Return the defaults, without any `.env` file."""
    return Settings(_env_file=None)


def event(ts: float | None = 1.0, user: str = "u", kind: str | None = "click") -> LoggedEvent:
    """Return an event on item a."""
    return LoggedEvent(user, "a", kind, ts)


class Notes(Producer):
    """Records what it sends, and takes time to acknowledge."""

    def __init__(self) -> None:
        super().__init__(settings())
        self.values: dict[tuple[str, int], list[bytes | None]] = {}
        self.keys: dict[bytes | None, tuple[str, int]] = {}
        self.at_s: list[float] = []
        self.busy = 0

    async def deliver(
        self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]
    ) -> dict[Any, int]:
        """Refuse a call during another call."""
        assert self.busy == 0
        self.busy += 1
        await asyncio.sleep(0)
        for target, some in messages.items():
            self.values.setdefault(target, []).extend(message.value for message in some)
            self.keys.update(dict.fromkeys((message.key for message in some), target))
            self.at_s += [time.monotonic()] * len(some)
        self.busy -= 1
        return {}


async def replayed(events: list[LoggedEvent], schedule: Schedule) -> tuple[Notes, Summary, int]:
    """Replay events to topics of three and two partitions."""
    notes, told = Notes(), [0]
    replay = Replay(notes, Router(settings(), None), {"clicks": 3, "purchases": 2}, told.append)
    return notes, await replay.run(events, schedule), told[-1]


def test_a_rate_is_evenly_spaced() -> None:
    """Four events a second, counted from the start and not from the event before."""
    due = at_rate(4)
    assert [due(place, event()) for place in range(3)] == [0, 0.25, 0.5]


def test_a_speedup_follows_the_log_from_its_first_event() -> None:
    """Ten times as fast; an event older than the previous one is due at once."""
    due = at_speedup(10)
    assert [due(place, event(ts)) for place, ts in enumerate([100, 101, 105, 90])] == [
        0, 0.1, 0.5, -1,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="event 5 of the log has no ts"):
        due(4, event(None))


def test_without_an_option_the_replay_is_as_fast_as_possible() -> None:
    """`--max` is the explicit form."""
    assert choose(None, None, as_fast_as_possible=False) is at_once
    assert choose(None, None, as_fast_as_possible=True) is at_once
    assert choose(2.0, None, as_fast_as_possible=False)(1, event()) == 0.5
    with pytest.raises(ConfigError, match="choose one of"):
        choose(2.0, 3.0, as_fast_as_possible=False)


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("purchase", "purchases"),
        ("transaction", "purchases"),
        ("refund", "purchases"),
        ("remove_from_cart", "clicks"),
        ("forget", "clicks"),
        ("click", "clicks"),
        ("addtocart", "clicks"),
        ("scroll", "clicks"),
        (None, "clicks"),
    ],
)
def test_an_event_goes_to_the_topic_that_implies_its_type(kind: str | None, topic: str) -> None:
    """Under any of its names, as does what takes it back; all others go to the first topic."""
    assert Router(settings(), None).topic(kind) == topic
    assert Router(settings(), "all").topic(kind) == "all"


def test_a_log_of_which_nothing_would_count_is_not_sent() -> None:
    """It says why; the first event that counts ends the question."""
    router, now = Router(settings(), None), time.time()
    useless = [event(now, kind="look"), event(now, kind="look"), event(now, user=""), event(5.0)]
    with pytest.raises(StreamappError) as caught:
        count_events(useless, router, settings())
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        "nothing was sent: none of the 4 events would count (2 skipped, of unknown type 'look', "
        "1 refused, missing_id, 1 refused, ts_out_of_range)"
    )
    assert count_events([*useless, event(now), *useless], router, settings()) == 9
    assert count_events([event(None, kind=None)], router, settings()) == 1
    assert count_events([], router, settings()) == 0


def test_what_goes_to_a_topic_that_is_not_read_is_not_judged() -> None:
    """Another app may read it by other rules."""
    useless = [event(5.0), event(kind="look")]
    assert count_events(useless, Router(settings(), "other"), settings()) == 2


def test_a_router_names_the_topics_that_must_exist() -> None:
    """No others are asked for."""
    assert Router(settings(), None).topics == ["clicks", "purchases"]
    assert Router(settings(), "all").topics == ["all"]


def test_a_record_leaves_out_what_the_event_leaves_out() -> None:
    """The topic and the record then imply it."""
    assert orjson.loads(encode(event(1.5))) == {
        "user_id": "u", "item_id": "a", "type": "click", "ts": 1.5,
    }  # fmt: skip
    assert orjson.loads(encode(event(None, kind=None))) == {"user_id": "u", "item_id": "a"}


async def test_every_partition_gets_its_events_in_order() -> None:
    """More events than one bundle holds; users are in the partitions that Kafka would choose."""
    events = [
        event(float(place), f"u{place % 50}", "purchase" if place % 7 == 0 else "click")
        for place in range(25_000)
    ]
    notes, summary, told = await replayed(events, at_once)

    partition_of = DefaultPartitioner()
    for key, (topic, partition) in notes.keys.items():
        partitions = list(range(3 if topic == "clicks" else 2))
        assert partition_of(key, partitions, partitions) == partition
    for values in notes.values.values():
        times = [orjson.loads(value or b"")["ts"] for value in values]
        assert times == sorted(times)
    assert (summary.total, told) == (25_000, 25_000)
    assert summary.events == {"clicks": 21_428, "purchases": 3_572}


async def test_no_event_goes_out_before_it_is_due() -> None:
    """A hundred events at a thousand a second take a tenth of a second."""
    started = time.monotonic()
    notes, summary, _ = await replayed([event() for _ in range(100)], at_rate(1_000))

    assert len(notes.at_s) == 100
    assert all(at - started >= place / 1_000 for place, at in enumerate(notes.at_s))
    assert summary.elapsed_s >= 0.099


def test_a_replay_sends_nothing_to_a_topic_of_another_format() -> None:
    """It sends flat events, and each would be a dead letter there."""
    chosen = Settings(_env_file=None, event_formats={"purchases": "ga4", "clicks": "auto"})
    assert Router(chosen, "clicks").topics == ["clicks"]
    with pytest.raises(ConfigError, match="EVENT_FORMATS reads purchases as ga4"):
        Router(chosen, None)
