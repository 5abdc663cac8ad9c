"""Prequential evaluation of user lists: hit rate and mean reciprocal rank of the served lists.

An event is first tested and then learnt: did the stored list hold its item, and at which rank? Only
items that are new to their user count, since lists leave out items that the user has. Source: Dawid
1984; Vinagre, Jorge and Gama 2014, for recommenders.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple
from zlib import crc32

import msgspec

from streamapp.core.arrays.array_types import Ints
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import entries, unpacked
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.interaction_batch import Admitted

_SPREAD = 2_654_435_761
_LARGEST = (1 << 32) - 1


@dataclass(slots=True)
class HitStats:
    """Ranks at which lists held the items that users chose next.

    Attributes:
        hits: Events whose item the list held.
        reciprocal_ranks: Sum of 1 / rank over those.
    """

    hits: int = 0
    reciprocal_ranks: float = 0.0

    def count(self, rank: int) -> None:
        """Count the rank of an item in a list, from 1; 0 where the list does not hold it."""
        if rank:
            self.hits += 1
            self.reciprocal_ranks += 1 / rank

    def rates(self, events: int) -> dict[str, float]:
        """Return HR and MRR over `events`, which is > 0."""
        return {"hr": self.hits / events, "mrr": self.reciprocal_ranks / events}


@dataclass(slots=True)
class OnlineMetrics(HitStats):
    """Results of the lists that were served.

    Attributes:
        judged: Events that were tested: HR and MRR are over these.
        unserved: Events of users without a stored list; they are neither hits nor misses.
        overtaken: Events that the stored list may include already: its `as_of` is not older.
    """

    judged: int = 0
    unserved: int = 0
    overtaken: int = 0

    @classmethod
    def read(cls, stored: Mapping[str, bytes]) -> "OnlineMetrics":
        """Return the results in the fields of a head; 0 where a field is missing."""
        values = {field.name: stored.get(field.name, b"0") for field in fields(cls)}
        ranks = float(values.pop("reciprocal_ranks"))
        return cls(reciprocal_ranks=ranks, **{name: int(value) for name, value in values.items()})

    def stored(self) -> dict[str, bytes]:
        """Return the fields of a head; `read` returns equal numbers to the last bit."""
        return {field.name: repr(getattr(self, field.name)).encode() for field in fields(self)}

    def judge(self, probe: "Probe", content: bytes) -> None:
        """Test a stored list.

        Args:
            probe: The event.
            content: The list as frontends read it; b"" or invalid JSON if there is none.
        """
        try:
            stored = _decode(content)
        except msgspec.DecodeError:
            self.unserved += 1
            return
        if stored.as_of >= probe.ts:
            self.overtaken += 1
            return
        self.judged += 1
        ranks = (rank for rank, one in enumerate(stored.items, 1) if one.id == probe.item)
        self.count(next(ranks, 0))


class _Entry(msgspec.Struct, gc=False):
    id: str


class _List(msgspec.Struct, gc=False):
    as_of: float
    items: list[_Entry]


_decode = msgspec.json.Decoder(_List).decode


class Probe(NamedTuple):
    """An event for which a list is tested.

    Attributes:
        user: Whose list.
        item: The item that the user chose.
        ts: Event time in seconds.
    """

    user: str
    item: str
    ts: float


class UserSample(NamedTuple):
    """Which events are tested.

    Attributes:
        share: Share of the users, 0 to 1; every worker chooses the same users.
        earliest_ts: Oldest event time in seconds.
        latest_ts: Newest event time in seconds.
        rule: What a history keeps.
    """

    share: float
    earliest_ts: float
    latest_ts: float
    rule: HistoryRule

    def probes(
        self,
        admitted: Admitted,
        histories: Mapping[str, bytes],
        registry: Registry,
        probed: Collection[str],
    ) -> Iterator[Probe]:
        """Yield the first event of each sampled user on an item that is new to the user.

        Args:
            admitted: The interactions that are about to be applied.
            histories: Of all their users, as they are stored, before these interactions.
            registry: The items' ids.
            probed: Users who are left out, because an earlier event is tested.

        Cost: O(users), and O(history) for each sampled user.
        """
        some = admitted.interactions
        recent = (some.ts >= self.earliest_ts) & (some.ts <= self.latest_ts)
        if not recent.any():
            return
        below, types = self.share * (_LARGEST + 1), len(self.rule.types.names)
        for line, user in enumerate(admitted.users):
            if _hash(user) >= below or user in probed:
                continue
            held = self._held(histories[user], registry)
            for event in range(some.starts[line], some.starts[line + 1]):
                counts = recent[event] and some.type[event] < types
                if counts and some.item[event] not in held:
                    yield Probe(user, registry.ids[some.item[event]], float(some.ts[event]))
                    break

    def _held(self, history: bytes, registry: Registry) -> Ints:
        """Return the items of a history."""
        rule = self.rule
        _, item, *_ = entries(
            *unpacked([history], rule, registry), rule.types.weight, rule.base, rule.half_life_s
        )
        return item


def _hash(user: str) -> int:
    """Return 0 to `_LARGEST`: the checksum, spread, because similar ids share its high bits.

    Source: Knuth, The Art of Computer Programming, 6.4, multiplicative hashing.
    """
    return crc32(user.encode()) * _SPREAD & _LARGEST
