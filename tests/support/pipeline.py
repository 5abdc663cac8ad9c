"""The kernels joined as the agents join them, with dictionaries for Redis and lists for Kafka."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.history import Revisions, revise
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
from streamapp.core.messages.delta import Origin, decode_delta, encode_deltas
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.core.shard.shard import Shard
from tests.support.oracle import Act


@dataclass
class Pipeline:
    """Acts go in, rows and lists come out."""

    shards: int
    cap: int
    rule: ListRule
    log: list[list[bytes | CatalogueUpdate | ContentNeighbours]] = field(default_factory=list)
    offset: int = 0
    taken: int = 0
    told: int = 0
    forget_after_s: float = math.inf
    kind: str = ITEM
    decay: Decay | None = None

    def __post_init__(self) -> None:
        self.registry, self.applied_offsets = registry_of(self.kind), AppliedOffsets()
        self.histories: dict[str, bytes] = {}
        self.log = [[] for _ in range(self.shards)]
        self.read = [0] * self.shards
        self.rows: list[Shard] = [
            Shard(number, self.shards, self.rule, "g", 0, registry_of(self.kind),
                  NormsAndRows.unpack(decayed=self.decay is not None), AppliedOffsets())
            for number in range(self.shards)
        ]  # fmt: skip
        self.stored: list[dict[int, tuple[int, bytes]]] = [{} for _ in range(self.shards)]

    def take(self, acts: list[Act]) -> None:
        """Apply one cut."""
        builder = InteractionBatchBuilder()
        builder.begin(Source("clicks", 0, self.taken + len(acts)))
        for act in acts:
            builder.add(self.taken, act.user, act.item, str(act.weight), act.ts)
            self.taken += 1
        self.apply(
            builder.encode("g", partitions=1)[0], {str(act.weight): act.weight for act in acts}
        )

    def apply(self, message: bytes, weights: dict[str, float]) -> None:
        """Apply a cut as it comes from its topic."""
        news = admit(decode_interactions(message), self.applied_offsets, self.registry, weights)
        if news.users:
            revisions = revise(
                [self.histories.get(user, b"") for user in news.users],
                news.interactions,
                self.registry,
                self.cap,
                self.forget_after_s,
                self.decay,
            )
            self._send(news.users, revisions)
        self.offset += 1

    def forget(self, users: list[str]) -> None:
        """Forget users, as a cut of idle users does."""
        held = [user for user in users if self.histories.get(user)]
        if held:
            self._send(
                held, Revisions.forgetting([self.histories[user] for user in held], self.decay)
            )
        self.offset += 1

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
        self.histories.update(zip(users, revisions.histories(), strict=True))
        if isinstance(self.registry, RoleRegistry):
            revisions = directed_revisions(revisions, self.registry)
        origin = Origin("g", 0, self.offset)
        for shard, value in encode_deltas(revisions, self.registry, self.shards, origin):
            self.log[shard].append(value)

    def drain(self, number: int) -> None:
        """Apply the log of a shard beyond its position, all at once."""
        shard, log = self.rows[number], self.log[number]
        admitted = []
        for offset, message in enumerate(log[self.read[number] :], self.read[number]):
            if isinstance(message, CatalogueUpdate):
                shard.apply_update(message, offset)
            elif isinstance(message, ContentNeighbours):
                shard.apply_content_neighbours(message, offset)
            else:
                admitted.append((offset, shard.admit(decode_delta(message))))
        some = [(offset, blocks) for offset, blocks in admitted if blocks is not None]
        self.load(number, shard.absent([blocks for _, blocks in some]))
        for offset, blocks in some:
            shard.apply(blocks, offset)
        self.read[number] = shard.position = len(log)

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

    def store_at(
        self, number: int, stored_at: int
    ) -> list[bytes | CatalogueUpdate | ContentNeighbours]:
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
            numbers = np.arange(len(ids), dtype=np.int32)
            here = shard.owned[: len(ids)] | (shard.registry.shards(1, numbers) < 0)
            for row in np.flatnonzero(here).tolist():
                if shard.norms.users[row]:
                    dots[ids[row], ids[row]] = float(shard.norms.sum_sq[row])
                    supports[ids[row], ids[row]] = int(shard.norms.users[row])
                for cell in range(starts[row], starts[row] + sizes[row]):
                    pair = ids[row], ids[items[cell]]
                    dots[pair], supports[pair] = float(cell_dots[cell]), int(cell_supports[cell])
        return dots, supports

    def lists(self) -> dict[str, list[tuple[str, float, int]]]:
        """Return the list of every item that has neighbours."""
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
