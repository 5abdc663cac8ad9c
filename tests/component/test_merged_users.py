"""The history stage merges users: one history, one receipt, and nothing twice after a death."""

from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.agents.histories.stage import HistoryStage
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.delta import decode_deltas
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    decode_interactions,
)
from streamapp.failpoints import Failpoints
from streamapp.store.slot.head import HistoriesHead
from streamapp.transport.records import TP, Offsets, RecordBatch
from streamapp.worker.warm import warm
from tests.component.harness.stages import STATE_ID, Broker, context, record

TS = 1.7e9
INTERACTIONS = "streamapp-interactions", 0
DELTAS = "streamapp-deltas", 0
LISTS = "recommendations", 0


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Load the kernels first."""
    warm()


def cut(start: int, *said: tuple[str, ...]) -> bytes:
    """Return a cut of (user, item) clicks and (user, "", into) departures, one at each offset."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, start + len(said)))
    for offset, (user, item, *into) in enumerate(said, start):
        if into:
            builder.leave(offset, user, into[0], 0)
        else:
            builder.add(offset, user, item, "click", TS + offset)
    return builder.encode(STATE_ID, 1)[0]


class Partition:
    """One partition of histories, whose log takes what its owner sends to it."""

    stage: HistoryStage

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.broker = Broker()
        self.tp = TP(*INTERACTIONS)
        self.log: list[bytes] = []

    async def open(self, failpoint: str = "") -> None:
        """Let another owner open the partition; the broker has what the last one sent."""
        around = replace(await context(self.redis, self.broker), failpoints=Failpoints(failpoint))
        self.stage = await HistoryStage.open(
            around, {self.tp: Offsets(0, 99, None)}, lists_suspect=False
        )

    async def work(self) -> None:
        """Apply the log to its end, and make lists."""
        while self.sent or self.stage.position(self.tp) < len(self.log):
            self.log += [one.value for one in self.broker.taken.pop(INTERACTIONS, [])]
            start = self.stage.position(self.tp)
            records: list[Any] = [
                record(offset, value) for offset, value in enumerate(self.log[start:], start)
            ]
            await self.stage.apply([RecordBatch(self.tp, records, 0)])
        await self.stage.finish()

    @property
    def sent(self) -> list[Any]:
        """What the owner sent to partitions of histories."""
        return self.broker.taken.get(INTERACTIONS, [])

    async def head(self) -> HistoriesHead:
        """Return the head of the slot."""
        fields: Any = await self.redis.hgetall("s:{u0}:head")
        head = HistoriesHead.decode({name.decode(): value for name, value in fields.items()})
        assert head is not None
        return head

    def changes(self) -> list[tuple[dict[str, float], dict[str, float], int]]:
        """Return each delta: ratings before, ratings after, and how many increments."""
        registry, translator = Registry(), IdTranslator()
        found, seen = [], -1
        for one in self.broker.taken.get(DELTAS, []):
            for delta in decode_deltas(one.key, one.value):
                blocks = delta.blocks(registry, translator)
                names = [registry.ids[item] for item in blocks.changed.tolist()]
                if delta.sequence <= seen:
                    continue
                seen = delta.sequence
                before, after = blocks.before.tolist(), blocks.after.tolist()
                found.append((
                    dict(zip(names, before, strict=True)), dict(zip(names, after, strict=True)),
                    len(blocks.increments.item),
                ))  # fmt: skip
        return found


@pytest.mark.parametrize("death", [
    "", "histories.transfers-sent", "histories.deltas-sent", "histories.blobs-put",
    "histories.position-moved",
])  # fmt: skip
async def test_a_merge_moves_a_history_once_whatever_dies(redis: Redis, death: str) -> None:
    """What the user added to trending stays, and is not added again."""
    partition = Partition(redis)
    await partition.open()
    partition.log += [cut(0, ("anon", "a"), ("u", "b"))]
    await partition.work()
    partition.log += [cut(2, ("anon", "c"), ("anon", "", "u"), ("anon", "d"))]
    if death:
        await partition.stage.close()
        await partition.open(f"{death}:1:raise")
        with pytest.raises(RuntimeError, match=death):
            await partition.work()
        await partition.stage.close()
        await partition.open()
    await partition.work()
    assert partition.changes() == [
        ({"a": 0, "b": 0}, {"a": 1, "b": 1}, 2),
        ({"a": 1, "d": 0}, {"a": 0, "d": 1}, 2),
        ({"a": 0, "c": 0}, {"a": 1, "c": 1}, 0),
    ]
    head = await partition.head()
    assert (head.applied, head.blobs) == (5, 2)
    assert head.replayed == (2 if death in {"histories.transfers-sent", "histories.deltas-sent"}
                             else 0)  # fmt: skip
    told = [(one.key, one.value is None) for one in partition.broker.taken[LISTS]]
    assert (b"user:anon", True) in told
    assert (b"user:u", True) not in told
    await partition.stage.close()


async def test_a_repeat_of_what_came_with_a_merge_adds_nothing_to_what_trends(
    redis: Redis,
) -> None:
    """The items of a merged history are the receiver's own from then on."""
    partition = Partition(redis)
    await partition.open()
    partition.log += [cut(0, ("anon", "a"), ("anon", "", "u"))]
    await partition.work()
    partition.log += [cut(2, ("u", "a"), ("u", "b"))]
    await partition.work()
    assert [increments for _, _, increments in partition.changes()] == [1, 0, 1]
    await partition.stage.close()


async def test_a_user_whom_nobody_knows_is_merged_with_a_receipt_alone(redis: Redis) -> None:
    """Nothing is sent, and nothing is kept but the departure."""
    partition = Partition(redis)
    await partition.open()
    partition.log += [cut(0, ("anon", "", "u"))]
    await partition.work()
    assert len(partition.log) == 1
    assert [(one.key, one.value) for one in partition.broker.taken[LISTS]] == [(b"user:anon", None)]
    assert (await partition.head()).blobs == 0
    await partition.stage.close()


async def test_a_chain_of_merges_ends_at_the_last_user(redis: Redis) -> None:
    """Also where the user in between was merged before the first history came."""
    partition = Partition(redis)
    await partition.open()
    partition.log += [cut(0, ("a", "x"), ("b", "y"), ("a", "", "b"), ("b", "", "c"))]
    await partition.work()
    assert (await partition.head()).blobs == 1
    senders = [decode_interactions(value) for value in partition.log[1:]]
    assert [one.users for one in senders] == [["b"], ["c"], ["c"]]
    (before, after, _) = partition.changes()[-1]
    assert (before, after) == ({"x": 0}, {"x": 1})
    await partition.stage.close()


async def test_what_travels_to_a_user_who_was_forgotten_since_is_dropped(redis: Redis) -> None:
    """The next owner knows that too."""
    partition = Partition(redis)
    await partition.open("histories.position-moved:1:raise")
    partition.log += [cut(0, ("a", "x"), ("b", "y"), ("a", "", "b"), ("b", "", ""))]
    with pytest.raises(RuntimeError):
        await partition.work()
    await partition.stage.close()
    await partition.open()
    await partition.work()
    assert (await partition.head()).blobs == 0
    await partition.stage.close()
