"""Judges the lists of users by what these choose next: hit rate and mean reciprocal rank.

An event is asked about before it is learnt (prequential: test, then learn): did the list that stood
hold its item, and at which place? Asked about are items that are new to their user, since lists
leave out what was seen. Source: Dawid 1984; Vinagre, Jorge and Gama 2014, for recommenders.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from streamapp.core.histories.decay import Decay
from streamapp.core.histories.history import entry_of
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.interaction_batch import Admitted

_SPREAD = 2_654_435_761
_LARGEST = (1 << 32) - 1


@dataclass(slots=True)
class HitStats:
    """At which places lists held what was chosen next.

    Attributes:
        hits: Events whose item the list held.
        reciprocal_ranks: Sum of 1 / place over those.
    """

    hits: int = 0
    reciprocal_ranks: float = 0.0

    def note(self, place: int) -> None:
        """Count the place of an item in a list, from 1; 0 where it is not there."""
        if place:
            self.hits += 1
            self.reciprocal_ranks += 1 / place

    def rates(self, events: int) -> dict[str, float]:
        """Return HR and MRR over so many events; > 0."""
        return {"hr": self.hits / events, "mrr": self.reciprocal_ranks / events}


@dataclass(slots=True)
class OnlineMetrics(HitStats):
    """What came of the lists that were served.

    Attributes:
        judged: Events that were asked about: HR and MRR are over these.
        unserved: Events of users for whom no list stood; they are neither hits nor misses.
        overtaken: Events that the list which stood may know already, or that it is newer than.
    """

    judged: int = 0
    unserved: int = 0
    overtaken: int = 0

    @classmethod
    def read(cls, stored: Mapping[str, bytes]) -> "OnlineMetrics":
        """Return what the fields of a head say; 0 where one is missing."""
        values = {field.name: stored.get(field.name, b"0") for field in fields(cls)}
        ranks = float(values.pop("reciprocal_ranks"))
        return cls(reciprocal_ranks=ranks, **{name: int(value) for name, value in values.items()})

    def stored(self) -> dict[str, bytes]:
        """Return the fields of a head; what is read back is equal to the last bit."""
        return {field.name: repr(getattr(self, field.name)).encode() for field in fields(self)}

    def judge(self, question: "Probe", content: bytes) -> None:
        """Ask the list that stands.

        Args:
            question: What was chosen, when.
            content: The list as frontends read it; b"" where none stands, and what is no list is
                none.

        A list that knows of the event carries its time, or a later one: it is not asked.
        """
        try:
            standing = _decode(content)
        except msgspec.DecodeError:
            self.unserved += 1
            return
        if standing.as_of >= question.ts:
            self.overtaken += 1
            return
        self.judged += 1
        places = (place for place, one in enumerate(standing.items, 1) if one.id == question.item)
        self.note(next(places, 0))


class _Entry(msgspec.Struct, gc=False):
    id: str


class _List(msgspec.Struct, gc=False):
    as_of: float
    items: list[_Entry]


_decode = msgspec.json.Decoder(_List).decode


class Probe(NamedTuple):
    """What a list is asked about.

    Attributes:
        user: Whose list.
        item: What the user chose.
        ts: When, event time in seconds.
    """

    user: str
    item: str
    ts: float


class UserSample(NamedTuple):
    """Which events are asked about.

    Attributes:
        share: Of the users, 0 to 1; it is always the same users, whoever asks.
        earliest_ts: Oldest event time in seconds.
        latest_ts: Newest event time in seconds.
        decay: How interactions fade; None: not at all.
    """

    share: float
    earliest_ts: float
    latest_ts: float
    decay: Decay | None = None

    def questions(
        self,
        news: Admitted,
        histories: Mapping[str, bytes],
        registry: Registry,
        asked: Collection[str],
    ) -> Iterator[Probe]:
        """Yield the first event of each user of the sample on an item that is new to the user.

        Args:
            news: What is about to be applied.
            histories: Of all its users, packed by `entry_of`, before anything of it.
            registry: The items' ids.
            asked: Users who are left out, because an earlier event is asked about.

        Cost: O(users), and O(history) for each user of the sample.
        """
        some = news.interactions
        recent = (some.ts >= self.earliest_ts) & (some.ts <= self.latest_ts)
        if not recent.any():
            return
        below = self.share * (_LARGEST + 1)
        for line, user in enumerate(news.users):
            if _hash(user) >= below or user in asked:
                continue
            held = np.frombuffer(histories[user], entry_of(self.decay))["item"]
            for event in range(some.starts[line], some.starts[line + 1]):
                if recent[event] and some.item[event] not in held:
                    yield Probe(user, registry.ids[some.item[event]], float(some.ts[event]))
                    break


def _hash(user: str) -> int:
    """Return 0 to `_LARGEST`: the checksum, whose high bits names that are alike share, spread.

    Source: Knuth, The Art of Computer Programming, 6.4, multiplicative hashing.
    """
    return crc32(user.encode()) * _SPREAD & _LARGEST
