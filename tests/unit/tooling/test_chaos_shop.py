"""The shop of chaos gives with every record the expected outcome."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from tests.chaos.judge import Verdict
from tests.chaos.shop import CATALOGUE, LETTER, NUMBER, Tracked, records

_TOPICS = ("clicks", "purchases")


@dataclass
class _Counting:
    """Takes interactions, and counts them."""

    taken: int = 0

    def add(
        self, offset: int, user: str, item: str, kind: str, ts: float, order: float = 0.0
    ) -> None:
        self.taken += 1

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; no test here sends one."""
        raise AssertionError(user)

    def skip(self, offset: int, user: str, kind: str) -> None:
        self.taken += 1


@dataclass
class _Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 1_700_000_000_000


def _shop(seed: int) -> list[Tracked]:
    return list(islice(records(seed, _TOPICS), 5_000))


def test_a_seed_always_sends_the_same_numbered_records() -> None:
    """A run can be repeated, and no acknowledged record can be lost unseen."""
    shop = _shop(1)
    assert shop == _shop(1)
    assert shop != _shop(2)
    assert [int(dict(one.headers)[NUMBER]) for one in shop] == list(range(len(shop)))


def test_a_shop_with_a_catalogue_sends_the_same_events_and_says_what_is_available() -> None:
    """Its records are numbered with the events, so that none of them is lost unseen either."""
    both = list(islice(records(1, _TOPICS, catalogue=True), 5_000))
    assert [int(dict(one.headers)[NUMBER]) for one in both] == list(range(len(both)))
    events = [one for one in both if one.topic != CATALOGUE]
    assert [one.value for one in events] == [one.value for one in _shop(1)[: len(events)]]
    turns = [one for one in both if one.topic == CATALOGUE]
    assert len({one.key for one in turns}) > 20
    assert None in {one.value for one in turns}


def test_every_record_becomes_what_its_headers_say() -> None:
    """Whole dead letters carry their code; of the rest at most one element is refused."""
    reader, codes = EventReader(event_rules(Settings(_env_file=None)), "clicks"), Counter[str]()
    for place, one in enumerate(_shop(3)):
        sink = _Counting()
        refused = reader.read([_Record(place, one.key, one.value)], sink)
        expected = dict(one.headers).get(LETTER, b"").decode()
        codes[expected] += 1
        assert sink.taken + len(refused) == one.events
        assert [refusal.code for refusal in refused] == (
            [expected] if expected else ["missing_id"] * (one.events - sink.taken)
        )
    assert set(codes) == {"", "not_json", "key_mismatch", "null_value", "ts_out_of_range"}


def test_a_verdict_counts_what_differs_and_shows_some_of_it() -> None:
    """One number that is off, and seven missing things."""
    verdict = Verdict()
    verdict.compare("applied", 7, 7)
    verdict.compare("dead letters", 2, 3)
    verdict.differ("list", range(7))
    assert verdict.differences == 8
    assert verdict.figures == {"applied": 7, "dead letters": 2}
    assert verdict.examples[0] == "dead letters: 2, expected 3"
    assert len(verdict.examples) == 6
