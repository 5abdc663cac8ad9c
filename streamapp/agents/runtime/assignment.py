"""The lanes of a worker: which partitions it has, and who works on them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.agents.runtime.stage import Stage
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


class Assignment:
    """Opens a lane for what is assigned, and closes it when it is revoked.

    Args:
        stage_for: Makes the stage for some partitions of one topic group.
        group_of: Says which partitions share a lane: those with the same name.
        offsets: Asks Kafka about partitions, given what is known to be stored of them.
        seek: Makes the consumer go on reading elsewhere.
        check: Looks whether partitions still hold the records that were applied.
        fail: Called with whatever ends a lane.
    """

    def __init__(
        self,
        stage_for: Callable[[str], Stage],
        group_of: Callable[[TP], str],
        offsets: Callable[[Mapping[TP, int | None]], Awaitable[Mapping[TP, Offsets]]],
        seek: Callable[[Mapping[TP, int]], Awaitable[None]],
        check: Callable[[Mapping[TP, RecordFingerprint | None]], Awaitable[None]],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._stage_for = stage_for
        self._group_of = group_of
        self._offsets = offsets
        self._seek = seek
        self._check = check
        self._fail = fail
        self._lanes: dict[TP, PartitionTask] = {}
        self._epochs: dict[TP, int] = {}
        self._noted: dict[TP, RecordFingerprint] = {}
        self._latest: dict[TP, RecordFingerprint] = {}
        self._opening = asyncio.Lock()
        self._finishing = False

    async def open(self, offsets: Mapping[TP, Offsets]) -> Mapping[TP, int]:
        """Take over these partitions and no others; return where to start reading each."""
        async with self._opening:
            await self.drop()
            try:
                positions = await self._open(offsets)
            except Exception as error:
                self._fail(error)
                raise
            for lane in set(self._lanes.values()):
                lane.start()
            return positions

    async def _open(self, offsets: Mapping[TP, Offsets]) -> dict[TP, int]:
        groups: dict[str, dict[TP, Offsets]] = {}
        for tp, known in offsets.items():
            groups.setdefault(self._group_of(tp), {})[tp] = known
        positions: dict[TP, int] = {}
        lanes: dict[TP, PartitionTask] = {}
        for name, members in groups.items():
            lane = PartitionTask(
                self._stage_for(name), self._reopen, self._beginning, self._note, self._fail
            )
            positions.update(await lane.stage.open(members, doubt=False))
            lanes.update(dict.fromkeys(members, lane))
        await self._check({tp: lane.stage.mark(tp) for tp, lane in lanes.items()})
        self._lanes = lanes
        self._noted.clear()
        self._latest.clear()
        for tp in lanes:
            self._epochs[tp] = self.epoch(tp) + 1
        return positions

    async def drop(self) -> None:
        """Close every lane at once; what is not stored is left to the next owner."""
        # A lane may be just about to read its state anew, and needs to know its partitions for it.
        await asyncio.gather(*(lane.drop() for lane in set(self._lanes.values())))
        self._lanes.clear()

    def doubt(self) -> None:
        """Let every lane read its state anew: Redis may have lost writes."""
        for lane in set(self._lanes.values()):
            lane.doubt()

    async def finish(self) -> None:
        """Bring what waits in every lane to the store, and end the lanes."""
        self._finishing = True
        await asyncio.gather(*(lane.finish() for lane in set(self._lanes.values())))

    def put(self, batch: RecordBatch) -> None:
        """Give a batch to its lane; one of an earlier opening is void."""
        lane = self._lanes.get(batch.tp)
        if lane is not None and batch.epoch == self.epoch(batch.tp):
            lane.put(batch)

    async def check(self) -> None:
        """Look whether partitions still hold what was applied when this was last looked at.

        Raises:
            StateError: one of them was made anew.
        """
        latest = dict(self._latest)
        await self._check(self._noted)
        self._noted = latest

    def epoch(self, tp: TP) -> int:
        """Return a number that changes whenever reading of `tp` starts anew."""
        return self._epochs.get(tp, 0)

    def hungry(self, tps: Iterable[TP]) -> set[TP]:
        """Return those partitions whose lane has room."""
        return {tp for tp in tps if tp in self._lanes and self._lanes[tp].has_room}

    def fence(self, tp: TP) -> int | None:
        """Return the first offset that the stored state does not hold, or None if not owned."""
        lane = self._lanes.get(tp)
        return None if lane is None else lane.stage.fence(tp)

    def _note(self, batches: Sequence[RecordBatch]) -> None:
        for batch in batches:
            self._latest[batch.tp] = RecordFingerprint.of(batch.records[-1])
            self._noted.setdefault(batch.tp, self._latest[batch.tp])

    async def _beginning(self, tp: TP) -> int:
        return (await self._offsets({tp: None}))[tp].beginning

    async def _reopen(self, lane: PartitionTask, *, doubt: bool) -> None:
        members = [tp for tp, one in self._lanes.items() if one is lane]
        fences = {tp: lane.stage.fence(tp) for tp in members}
        offsets = await self._offsets(fences)
        positions = await lane.stage.open(offsets, doubt=doubt)
        await self._check({tp: lane.stage.mark(tp) for tp in members})
        # What was read so far is void; the lane has no room, so nothing else is read until it is.
        for tp in members:
            self._epochs[tp] += 1
        # While the worker ends its consumer gives up partitions, and nothing more is to be read.
        if not self._finishing:
            await self._seek(positions)
        lane.clear()
