"""Compiles the kernels ahead of the first event: `python -m streamapp.worker.warm`.

The compiled code is kept beside the sources, or in `NUMBA_CACHE_DIR`; the second run only loads it.
"""

from dataclasses import replace

import numpy as np

from streamapp.core.content.tfidf import Texts
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.events.catalogue_record import Product
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.event_types import EventTypes
from streamapp.core.histories.history import Interactions, revise
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.partitioner import partitions_of
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import BOUGHT, VIEWED, RoleRegistry
from streamapp.core.lists.blending import BlendRule, NeighbourLists, blend
from streamapp.core.lists.list_changes import any_moved
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import encode_item_lists, encode_user_lists
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.content_neighbours import ContentNeighbour, ContentNeighbours
from streamapp.core.messages.delta import Origin, decode_delta, encode_deltas
from streamapp.core.shard.shard import Shard
from streamapp.worker.kernel_cache import remove_stale


def warm(decay: Decay | None = None, *, content: bool = False) -> None:
    """Run every kernel once on two users and three items, one of which is evicted.

    Args:
        decay: How interactions decay, which needs other kernels; None if they do not.
        content: Whether products have content neighbours, which needs more kernels.
    """
    registry = Registry()
    counts = NormsAndRows.unpack(decayed=decay is not None)
    shard = Shard(
        0, 1, ListRule(top_n=2), "", 0, Registry(), counts, AppliedOffsets(), tolerance=0.01
    )
    histories, rule = [b"", b""], HistoryRule(EventTypes.of({"click": 1.0}), cap=2, decay=decay)
    for offset, names in enumerate((["a", "b", "a", "c"], ["b", "c", "c", "b"])):
        interactions = Interactions(
            starts=np.array([0, 2, 4], np.int64),
            item=registry.number(names),
            type=np.zeros(4, np.uint8),
            ts=np.zeros(4),
            order=np.zeros(4),
        )
        revisions = revise(histories, interactions, registry, rule)
        histories = list(revisions.stored)
        for _, value in encode_deltas(revisions, registry, 1, Origin("", 0, offset)):
            blocks = shard.admit(decode_delta(value))
            if blocks is None:
                raise RuntimeError("a new delta was dropped as already applied")
            absent = shard.absent([blocks])
            shard.load(absent, [None] * len(absent))
            shard.apply(blocks, offset)
        numbers = np.flatnonzero(shard.rows.present).astype(np.int32)
        ranking = shard.rank(numbers)
        encode_item_lists(numbers, ranking, 1, shard.rows.as_of, shard.registry)
        shard.lists.acknowledge(numbers, ranking)
        shard.lists.differs(numbers, ranking)
        shard.outdated(shard.norms.changed, shard.norms.decreased)
        shard.norms.packed_changes(0)
    partitions_of([b"key"], 1)
    roles = RoleRegistry((f"{VIEWED}a", f"{BOUGHT}a", f"{BOUGHT}b"))
    seen = Interactions(
        np.array([0, len(roles)], np.int64), roles.number(roles.ids), np.zeros(3, np.uint8),
        np.zeros(3), np.zeros(3),
    )  # fmt: skip
    directed_revisions(revise([b""], seen, roles, replace(rule, cap=3)), roles)
    lists = NeighbourLists(
        np.zeros(len(registry), np.int32), np.array([0]), np.array([1]), np.array([0], np.int32),
        np.ones(1),
    )  # fmt: skip
    profiles = Profiles.unpack(histories, registry, rule)
    blended = blend(profiles, lists, registry, BlendRule(top_n=1, depth=1))
    list_digests(*blended)
    any_moved(np.ones(1), np.ones(1), 0.01)
    encode_user_lists(["a", "b"], blended, 1, np.zeros(2), registry)
    if content:
        product = Product(available=True, title="new", category="")
        Texts({"d": product, "e": product}).nearest(["d"], 1)
        shard.apply_content_neighbours(
            ContentNeighbours("", 1, [("d", [ContentNeighbour("e", 1.0)])]), 2
        )
        number = np.array([shard.registry.find("d")], np.int32)
        shard.load(number, [None])
        shard.rank(number)


if __name__ == "__main__":
    warm(content=True)
    warm(Decay(86_400.0))
    remove_stale()
