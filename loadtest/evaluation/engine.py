"""The app's own kernels, joined in memory: interactions in, counts and lists out.

One partition of histories feeds one shard through the same messages as in the app, without Kafka
and Redis. Both share a registry, so an item has one number.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from loadtest.evaluation.similarities import neighbours_of
from loadtest.evaluation.variant import Variant
from streamapp.audit.log import LogInteractions
from streamapp.core.arrays.array_types import Ints
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.counts.rows import Rows
from streamapp.core.histories.history import Interactions, revise
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import BlendRule, blend
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.delta import Origin, decode_delta, encode_deltas
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.core.shard.shard import Shard

_BATCH = 2_000
_ONE = np.array([0, 1], np.int64)
"""The interactions of a single user start here, if there is only one."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The rules of counts.

    Attributes:
        history_cap: Most items of a history.
        forget_after_s: Idle seconds after which a history begins again; infinity is never.
    """

    history_cap: int
    forget_after_s: float = np.inf


class Counts(NamedTuple):
    """The counts behind lists, as of some moment.

    Attributes:
        rows: The rows of all items.
        norms: The norms of all items.
        registry: Gives the numbers of items.
    """

    rows: Rows
    norms: Norms
    registry: Registry

    def lists(self, profiles: Profiles, variant: Variant) -> Ints:
        """Return item numbers, int32, shape (users, top_n), best first; -1 beyond the end.

        Cost: that of the lists of the items that are among the newest of some user.
        """
        rule = variant.blend
        position = np.arange(len(profiles.item)) - np.repeat(
            profiles.starts[:-1], np.diff(profiles.starts)
        )
        newest = profiles.item[position < rule.depth]
        neighbours = neighbours_of(newest, self.rows, self.norms, self.registry, variant.similarity)
        return blend(profiles, neighbours, self.registry, rule).item

    def popular(self, profiles: Profiles, rule: BlendRule) -> Ints:
        """Return the items with most users in the same form, without those that `rule` excludes."""
        users = self.norms.users[: len(self.registry)]
        best = sorted(
            np.flatnonzero(users).tolist(),
            key=lambda number: (-users[number], self.registry.ids[number].encode()),
        )
        lists = np.full((len(profiles.starts) - 1, rule.top_n), -1, np.int32)
        for user in range(len(lists)):
            held = slice(profiles.starts[user], profiles.starts[user + 1])
            excluded = set(profiles.item[held][profiles.rating[held] >= rule.exclude_from].tolist())
            head = [item for item in best[: rule.top_n + len(excluded)] if item not in excluded]
            lists[user, : len(head[: rule.top_n])] = head[: rule.top_n]
        return lists


class Engine:
    """The app without its servers.

    Attributes:
        histories: Packed histories by user.
        counts: The counts of now.
    """

    def __init__(self, counting: Counting) -> None:
        self.histories: dict[str, bytes] = {}
        registry = Registry()
        self._counting, self._fences = counting, AppliedOffsets()
        self._shard = Shard(
            0, 1, ListRule(1), "", 0, registry, NormsAndRows.unpack(), AppliedOffsets()
        )
        self.counts = Counts(self._shard.rows, self._shard.norms, registry)
        self._taken = self._offset = 0

    def replay(self, log: LogInteractions) -> Iterator[int]:
        """Take a whole log in batches; yield how many interactions are done after each."""
        for start in range(0, len(log.user), _BATCH):
            end = min(start + _BATCH, len(log.user))
            self.take(log, start, end)
            yield end

    def take(self, log: LogInteractions, start: int, end: int) -> None:
        """Apply the interactions `start:end` of a log as one cut."""
        builder = InteractionBatchBuilder()
        builder.begin(Source("log", 0, self._taken + end - start))
        columns = (
            column[start:end].tolist() for column in (log.user, log.item, log.weight, log.ts)
        )
        for place, (user, item, weight, ts) in enumerate(zip(*columns, strict=True), self._taken):
            builder.add(place, log.users[user], log.items[item], str(weight), ts)
        self._taken += end - start
        registry = self.counts.registry
        for value in builder.encode("", partitions=1).values():
            cut = decode_interactions(value)
            weights = {name: float(name) for name in cut.types}
            news = admit(cut, self._fences, registry, weights)
            self._revise(news.users, news.interactions)

    def learn(self, user: str, item: str, weight: float, ts: float) -> None:
        """Apply one interaction, as `take` does, without the cut: it costs half as much."""
        self._revise([user], Interactions(
            _ONE, self.counts.registry.number([item]), np.array([weight]), np.array([ts])
        ))  # fmt: skip

    def _revise(self, users: Sequence[str], interactions: Interactions) -> None:
        """Apply interactions, grouped by user, to histories and counts."""
        registry = self.counts.registry
        revisions = revise(
            [self.histories.get(user, b"") for user in users],
            interactions, registry,
            self._counting.history_cap, self._counting.forget_after_s,
        )  # fmt: skip
        self.histories.update(zip(users, revisions.histories(), strict=True))
        origin = Origin("", 0, self._offset)
        for _, delta in encode_deltas(revisions, registry, 1, origin):
            self._apply(delta)
        self._offset += 1

    def frozen(self) -> Counts:
        """Return the counts of this moment, which later interactions do not change."""
        return Counts(*deepcopy((self.counts.rows, self.counts.norms)), self.counts.registry)

    def profiles(self, users: Sequence[str]) -> Profiles:
        """Return the current histories of these users; empty for an unknown user."""
        histories = [self.histories.get(user, b"") for user in users]
        return Profiles.unpack(histories, self.counts.registry)

    def _apply(self, delta: bytes) -> None:
        shard = self._shard
        blocks = shard.admit(decode_delta(delta))
        if blocks is None:
            raise RuntimeError("a new delta was taken for an old one")
        absent = shard.absent([blocks])
        if len(absent):
            shard.load(absent, [None] * len(absent))
        shard.apply(blocks, shard.position)
        shard.position += 1
