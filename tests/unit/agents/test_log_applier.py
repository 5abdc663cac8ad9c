"""The log of a shard gives the same state in any grouping of its messages."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from streamapp.agents.shard import log_applier
from streamapp.agents.shard.log_applier import LogApplier
from streamapp.core.arrays.array_types import Ints
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.histories.decay import Decay
from streamapp.core.ids.registry import Registry, shard_of
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.delta import JOINT_KEY
from streamapp.core.messages.norm_update import NORMS_KEY
from streamapp.core.shard.shard import Shard
from streamapp.transport.records import TP, RecordBatch, RecordFingerprint
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

YEAR_S = 365.25 * 86_400
START = 1_400_000_000.0
SHARDS = 2
RULE = ListRule(9)


def log_of_a_shard() -> list[Any]:
    """Return records: two deltas, and behind them the norm of an item in an era of its own."""
    own, other = (
        next(name for name in map(str, range(99)) if shard_of(name, SHARDS) == shard)
        for shard in range(SHARDS)
    )
    pipeline = Pipeline(SHARDS, 9, RULE, decay=Decay(86_400.0))
    pipeline.take([Act("ann", own, 1.0, START), Act("ann", other, 1.0, START)])
    pipeline.take([Act("ben", other, 1.0, START + 6 * YEAR_S)])
    pipeline.drain(0)
    pipeline.take([Act("cem", own, 1.0, START + 3 * YEAR_S)])
    pipeline.drain(1)
    pipeline.share(1)
    pipeline.take_norms(0)
    first, second, update = pipeline.log[0]
    messages = [
        (JOINT_KEY, first),
        (JOINT_KEY, second),
        (NORMS_KEY, msgspec.msgpack.encode(update)),
    ]
    return [
        SimpleNamespace(offset=offset, key=key, value=value, timestamp=0)
        for offset, (key, value) in enumerate(messages)
    ]


def new_shard() -> Shard:
    """Return an empty shard."""
    counts = NormsAndRows.unpack(decayed=True)
    return Shard(0, SHARDS, RULE, "g", 0, Registry(), counts, AppliedOffsets())


async def loaded(shard: Shard, numbers: Ints) -> None:
    """Bring rows into memory that were never stored."""
    shard.load(numbers, [None] * len(numbers))


async def applied(groups: list[list[Any]]) -> Shard:
    """Return a shard after groups of records."""
    shard = new_shard()
    applier = LogApplier(shard, partial(loaded, shard), 0, None)
    for records in groups:
        await applier.apply([RecordBatch(TP("deltas", 0), records, 0)])
    assert applier.replayed == 0
    return shard


@pytest.mark.parametrize("ends", [(1, 2, 3), (1, 3), (2, 3), (3,)])
async def test_item_eras_have_the_same_numbers(ends: tuple[int, ...]) -> None:
    """The next owner groups messages otherwise, and rows that were stored ahead name item eras."""
    log = log_of_a_shard()
    starts = (0, *ends[:-1])
    shard = await applied([log[start:end] for start, end in zip(starts, ends, strict=True)])
    alone = await applied([[record] for record in log])
    assert isinstance(shard.norms, DecayedNorms)
    assert isinstance(alone.norms, DecayedNorms)
    assert shard.norms.eras.size > 3
    np.testing.assert_array_equal(shard.norms.eras.item, alone.norms.eras.item)
    np.testing.assert_array_equal(shard.norms.eras.era, alone.norms.eras.era)
    assert shard.norms.packed_changes(3) == alone.norms.packed_changes(3)


@pytest.mark.parametrize(
    ("at_once", "seen"), [(1_000_000, [0, 3]), (1, [0, 1, 2, 3]), (0, [0, 1, 2, 3])]
)
async def test_others_have_their_turn_between_parts_of_what_waits(
    at_once: int, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is applied as a whole, the position with it."""
    monkeypatch.setattr(log_applier, "_AT_ONCE_BYTES", at_once)
    shard = new_shard()
    applier = LogApplier(shard, partial(loaded, shard), 0, None)
    batches = [RecordBatch(TP("deltas", 0), [record], 0) for record in log_of_a_shard()]
    positions = [shard.position]
    applying = asyncio.ensure_future(applier.apply(batches))
    while not applying.done():
        await asyncio.sleep(0)
        if shard.position != positions[-1]:
            positions.append(shard.position)
    assert positions == seen
    assert applier.fingerprint == RecordFingerprint.of(batches[-1].records[-1])
    assert shard.norms.packed_changes(3) == (
        await applied([log_of_a_shard()])
    ).norms.packed_changes(3)
