"""The kernels joined as the agents join them, with dictionaries for Redis and lists for Kafka."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import msgspec
import numpy as np

from streamapp.core.counts.norm_table import NormTable
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.event_types import NO_ORDER, EventTypes
from streamapp.core.histories.history import Interactions, Revisions, revise
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import order_number
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import shard_of
from streamapp.core.ids.role_registry import RoleRegistry, registry_of, roles_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import (
    CatalogueUpdate,
    VisibilityChange,
    decode_update,
    encode_updates,
)
from streamapp.core.messages.content_neighbours import (
    ContentNeighbour,
    ContentNeighbours,
    decode_content_neighbours,
    encode_content_neighbours,
)
from streamapp.core.messages.delta import (
    JOINT_KEY,
    Origin,
    decode_deltas,
    encode_deltas,
    joint,
)
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.core.messages.norm_update import (
    NormUpdate,
    decode_norm_update,
    encode_norm_updates,
)
from streamapp.core.messages.rating_blocks import Blocks, joined
from streamapp.core.shard.norm_lookup import NormLookup
from streamapp.core.shard.shard import Shard
from tests.support.oracle import Act

Logged: TypeAlias = bytes | CatalogueUpdate | ContentNeighbours | NormUpdate
"""A message in the log of a shard; bytes are deltas."""


def deltas_in(message: bytes) -> list[bytes]:
    """Return the deltas in a message of the log, each alone."""
    return [msgspec.msgpack.encode(delta) for delta in decode_deltas(JOINT_KEY, message)]


def _weights(kind: str) -> tuple[float, ...]:
    return (3.0, 1.0, 5.0) if kind == ITEM else (1.0, 1.0, 1.0)


@dataclass
class Pipeline:
    """Acts go in, rows and lists come out.

    Attributes:
        joint: Most deltas of a message.
        tolerance: Of published lists; 0 publishes every change.
    """

    shards: int
    cap: int
    rule: ListRule
    log: list[list[Logged]] = field(default_factory=list)
    offset: int = 0
    taken: int = 0
    told: int = 0
    forget_after_s: float = math.inf
    kind: str = ITEM
    decay: Decay | None = None
    joint: int = 1
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        self.registry, self.applied_offsets = registry_of(self.kind), AppliedOffsets()
        types = EventTypes(("add_to_cart", "click", "purchase"), _weights(self.kind))
        self.rule_of = HistoryRule(types, self.cap, self.forget_after_s, self.decay)
        self.histories: dict[str, bytes] = {}
        self.log = [[] for _ in range(self.shards)]
        self.read = [0] * self.shards
        self.table = NormTable(self.shards)
        self.rows: list[Shard] = [
            Shard(number, self.shards, self.rule, "g", 0, registry_of(self.kind),
                  NormsAndRows.unpack(decayed=self.decay is not None), AppliedOffsets(),
                  tolerance=self.tolerance)
            for number in range(self.shards)
        ]  # fmt: skip
        self.stored: list[dict[int, tuple[int, bytes]]] = [{} for _ in range(self.shards)]

    def take(self, acts: list[Act]) -> None:
        """Apply one cut."""
        builder = InteractionBatchBuilder()
        builder.begin(Source("clicks", 0, self.taken + len(acts)))
        for act in acts:
            order = order_number(act.order) if act.order else NO_ORDER
            builder.add(self.taken, act.user, act.item, act.type, act.ts, order)
            self.taken += 1
        self.apply(
            builder.encode("g", partitions=1)[0],
            {act.type: act.weight for act in acts if act.weight},
        )

    def apply(self, message: bytes, weights: dict[str, float]) -> None:
        """Apply a cut as it comes from its topic; a type keeps the number that it got first."""
        types = (
            dict(zip(self.rule_of.types.names, self.rule_of.types.weights, strict=True)) | weights
        )
        self.rule_of = replace(self.rule_of, types=EventTypes(tuple(types), tuple(types.values())))
        news = admit(
            decode_interactions(message), self.applied_offsets, self.registry, self.rule_of.types
        )
        if news.users:
            self._revise(news.users, news.interactions)
        self.offset += 1

    def _revise(self, users: list[str], interactions: Interactions) -> None:
        histories = [self.histories.get(user, b"") for user in users]
        self._send(users, revise(histories, interactions, self.registry, self.rule_of))

    def forget(self, users: list[str]) -> None:
        """Forget users, as a cut of idle users does."""
        held = [user for user in users if self.histories.get(user)]
        if held:
            self._revise(held, Interactions.forgetting(len(held)))
        self.offset += 1

    def hidden(self, user: str) -> set[str]:
        """Return the items that a user has hidden."""
        profiles = Profiles.unpack([self.histories.get(user, b"")], self.registry, self.rule_of)
        assert profiles.hidden is not None
        return {self.registry.ids[item] for item in profiles.hidden.item.tolist()}

    def tell(self, hidden: Mapping[str, bool]) -> None:
        """Send all shards a notice that items are hidden, or shown again, from now on."""
        changes = [
            VisibilityChange(self.told + place, roles_of(self.kind).column + item, now)
            for place, (item, now) in enumerate(hidden.items())
        ]
        self.told += len(changes)
        for value in encode_updates("g", 0, changes):
            for log in self.log:
                log.append(decode_update(value))

    def match(self, version: int, lists: Mapping[str, list[ContentNeighbour]]) -> None:
        """Send content neighbours to the shards of their items."""
        for number in range(self.shards):
            some = [one for one in lists.items() if shard_of(one[0], self.shards) == number]
            if some:
                self.log[number].append(
                    decode_content_neighbours(
                        encode_content_neighbours(ContentNeighbours("g", version, some))
                    )
                )

    def _send(self, users: list[str], revisions: Revisions) -> None:
        self.histories.update(zip(users, revisions.stored, strict=True))
        if isinstance(self.registry, RoleRegistry):
            revisions = directed_revisions(revisions, self.registry)
        origin = Origin("g", 0, self.offset)
        for shard, value in encode_deltas(revisions, self.registry, self.shards, origin):
            log = self.log[shard]
            last = log[-1] if len(log) > self.read[shard] else None
            some = deltas_in(last) if isinstance(last, bytes) else []
            if 0 < len(some) < self.joint:
                log[-1] = joint([*some, value])
            else:
                log.append(joint([value]))

    def drain(self, number: int) -> None:
        """Apply the log of a shard beyond its position, all at once."""
        shard, log = self.rows[number], self.log[number]
        admitted: list[tuple[int, Blocks | NormUpdate]] = []
        for offset, message in enumerate(log[self.read[number] :], self.read[number]):
            if isinstance(message, CatalogueUpdate):
                shard.apply_update(message, offset)
            elif isinstance(message, ContentNeighbours):
                shard.apply_content_neighbours(message, offset)
            elif isinstance(message, NormUpdate):
                admitted.append((offset, message))
            else:
                deltas = decode_deltas(JOINT_KEY, message)
                blocks = [one for one in shard.admit_all(deltas) if one is not None]
                admitted += [(offset, joined(blocks))] if blocks else []
        self.load(number, shard.absent([one for _, one in admitted if isinstance(one, Blocks)]))
        for offset, one in admitted:
            if isinstance(one, Blocks):
                shard.apply(one, offset)
            else:
                shard.apply_norms(one, offset)
        self.read[number] = shard.position = len(log)

    def share(self, number: int) -> None:
        """Let other shards know the norms of a shard, as a checkpoint does."""
        shard = self.rows[number]
        ids, values = shard.take_unshared()
        positions = np.full(len(ids), shard.position, np.int64)
        self.table.update(number, ids, positions, values, shard.position)

    def take_norms(self, number: int) -> None:
        """Send the norms that a shard lacks to its log."""
        shard = self.rows[number]
        lookup = NormLookup(self.table, shard)
        if lookup.is_new() or lookup.lacks_any():
            items, values = lookup.lacking()
            seen = self.table.positions
            self.log[number] += [
                decode_norm_update(update)
                for update in encode_norm_updates(
                    "g", shard.norms_seen, seen, len(shard.registry), items, values
                )
            ]

    def exchange_norms(self) -> None:
        """Drain all logs, and let every shard know the norms of all others."""
        for number in range(self.shards):
            self.drain(number)
            self.share(number)
        for number in range(self.shards):
            self.take_norms(number)
            self.drain(number)

    def load(self, number: int, numbers: np.ndarray) -> None:
        """Bring rows of a shard into memory."""
        stored = self.stored[number]
        if len(numbers):
            self.rows[number].load(numbers, [stored.get(row) for row in numbers.tolist()])

    def store(self, number: int, *, forget: bool) -> None:
        """Write the rows that changed, as a checkpoint does; maybe drop them from memory."""
        shard = self.rows[number]
        changed = np.flatnonzero(shard.unsaved)
        for row in changed.tolist():
            self.stored[number][row] = shard.position, shard.packed(row)
        shard.unsaved[changed] = False
        if forget:
            shard.rows.drop(np.flatnonzero(shard.rows.present))

    def store_at(self, number: int, stored_at: int) -> list[Logged]:
        """Apply a shard's log up to `stored_at` and store its rows; return the log as it was."""
        whole = self.log[number]
        self.log[number] = whole[:stored_at]
        self.drain(number)
        self.store(number, forget=False)
        return whole

    def counts(self) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], int]]:
        """Return all dots and supports by pair of ids; norms and user counts as pairs of one."""
        dots: dict[tuple[str, str], float] = {}
        supports: dict[tuple[str, str], int] = {}
        for number, shard in enumerate(self.rows):
            self.load(number, np.flatnonzero(shard.owned & ~shard.rows.present).astype(np.int32))
            ids = shard.registry.ids
            starts, sizes, items, cell_supports, cell_dots = shard.rows.cells
            for item in np.flatnonzero(shard.counted[: len(ids)]).tolist():
                if shard.norms.users[item]:
                    dots[ids[item], ids[item]] = float(shard.norms.sum_sq[item])
                    supports[ids[item], ids[item]] = int(shard.norms.users[item])
            for row in np.flatnonzero(shard.owned[: len(ids)]).tolist():
                for cell in range(starts[row], starts[row] + sizes[row]):
                    pair = ids[row], ids[items[cell]]
                    dots[pair], supports[pair] = float(cell_dots[cell]), int(cell_supports[cell])
        return dots, supports

    def lists(self) -> dict[str, list[tuple[str, float, int]]]:
        """Return the list of every item that has neighbours, when all shards know all norms."""
        self.exchange_norms()
        result: dict[str, list[tuple[str, float, int]]] = {}
        for number, shard in enumerate(self.rows):
            owned = np.flatnonzero(shard.owned).astype(np.int32)
            self.load(number, owned[~shard.rows.present[owned]])
            ranking = shard.rank(owned)
            ids = shard.registry.public_ids
            for line, row in enumerate(owned.tolist()):
                if size := int(ranking.size[line]):
                    result[ids[row]] = [
                        (ids[ranking.item[line, place]], float(ranking.score[line, place]),
                         int(ranking.support[line, place]))
                        for place in range(size)
                    ]  # fmt: skip
        return result
