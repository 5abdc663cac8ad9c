"""A shop with a catalogue in the form of shard logs, and its true trending items."""

from dataclasses import dataclass, field

import numpy as np

from streamapp.core.histories.event_types import EventTypes
from streamapp.core.histories.history import Interactions, revise
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.catalogue_update import (
    CatalogueUpdate,
    VisibilityChange,
    decode_update,
    encode_updates,
)
from streamapp.core.messages.delta import Origin, decode_delta, encode_deltas
from streamapp.core.messages.popularity_increments import popularity_increments
from streamapp.core.shard.shard import Shard
from streamapp.core.trending.popularity import Popular
from tests.support.oracle import Act, trends

HALF_LIFE_S = 64.0
START = 1_700_000_000.0
"""A time that is a whole number of half-lives, as the times of all acts are, so sums are exact."""


@dataclass
class Shop:
    """Acts and catalogue records, in the order in which shards receive them.

    Attributes:
        shards: How many there are.
        logs: The messages of each.
        acts: All acts.
        category_of: The category of each item that has one.
        hidden: Items that are not available or were deleted.
        registry: The items, as the sender of their deltas numbers them.
    """

    shards: int
    logs: list[list[bytes | CatalogueUpdate]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    category_of: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    said: int = 0
    registry: Registry = field(default_factory=Registry)

    def __post_init__(self) -> None:
        self.logs = [[] for _ in range(self.shards)]

    def act(self, item: str, weight: float = 1.0, half_lives: int = 0) -> None:
        """Add an act."""
        ts = START + half_lives * HALF_LIFE_S
        registry = self.registry
        numbers, times = registry.number([item]), np.array([ts])
        interactions = Interactions(
            np.array([0, 1]), numbers, np.zeros(1, np.uint8), times, np.zeros(1)
        )
        masses = popularity_increments(
            numbers, np.array([weight]), times, HALF_LIFE_S, len(registry)
        )
        rule = HistoryRule(EventTypes.of({"act": weight}), 9)
        revisions = revise([b""], interactions, registry, rule)
        origin = Origin("g", 0, len(self.acts))
        for shard, value in encode_deltas(revisions, registry, self.shards, origin, masses):
            self.logs[shard].append(value)
        self.acts.append(Act("u", item, weight, ts))

    def say(self, item: str, category: str = "", *, hidden: bool = False) -> None:
        """Add a catalogue record of an item."""
        (value,) = encode_updates("g", 0, [VisibilityChange(self.said, item, hidden, category)])
        self.said += 1
        for log in self.logs:
            log.append(decode_update(value))
        self.category_of[item] = category
        (self.hidden.add if hidden else self.hidden.discard)(item)

    def delete(self, item: str) -> None:
        """Delete an item from the catalogue."""
        self.say(item, hidden=True)

    def read(self, shard: Shard, end: int | None = None) -> None:
        """Let a shard apply its log, or a part of it, as one batch: notices come first."""
        log, admitted = self.logs[shard.number][:end], []
        for offset, message in enumerate(log[shard.position :], shard.position):
            if isinstance(message, CatalogueUpdate):
                shard.apply_update(message, offset)
            elif blocks := shard.admit(decode_delta(message)):
                admitted.append((offset, blocks))
        absent = shard.absent([blocks for _, blocks in admitted])
        shard.load(absent, [None] * len(absent))
        for offset, blocks in admitted:
            shard.apply(blocks, offset)
        shard.position = max(shard.position, len(log))

    def trends(self, top_n: int) -> dict[str, list[tuple[str, float]]]:
        """Return the true trending items of each category, and their popularity."""
        return trends(self.acts, HALF_LIFE_S, top_n, self.category_of, self.hidden)

    def shown(self, popular: list[Popular]) -> list[tuple[str, float]]:
        """Return the entries of a list in the same form."""
        newest = max((act.ts for act in self.acts), default=0.0)
        return [(one.item, one.at(newest, HALF_LIFE_S)) for one in popular]
