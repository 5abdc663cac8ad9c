"""HistoryStage: cuts of interactions -> revised histories and deltas of rows.

For a run of cuts: read the touched histories, apply the history rule, send each cut's deltas to the
shards, and when the broker has them, write histories and move the fence. Items are numbered by the
log alone, so what is new of them is stored before.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamapp.agents.histories.forgetting import Forgetting
from streamapp.agents.histories.online_evaluation import OnlineEvaluation
from streamapp.agents.runtime.background import AWAKE_S, BackgroundTask, gather_all
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.recovery import decoded, open_slot, went_back
from streamapp.agents.user_lists.user_lists import UserLists
from streamapp.core.histories.history import Interactions, Revisions, newest_ts, revise
from streamapp.core.histories.role_items import RoleRegistry, directed, registry_of
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.delta import Origin, encode_deltas
from streamapp.core.messages.interaction_batch import (
    Admitted,
    InteractionBatch,
    admit,
    counted_type,
    decode_interactions,
)
from streamapp.core.messages.popularity_increments import (
    NO_INCREMENTS,
    PopularityIncrements,
    popularity_increments,
)
from streamapp.store.slot.head import HistoriesHead
from streamapp.store.slot.keys import SlotKeys, histories_tag
from streamapp.store.slot.manifest import partition_count
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


@dataclass(slots=True)
class _State:
    """What the stage knows of its slot: all of it is stored there at `head.position`."""

    head: HistoriesHead
    fences: AppliedOffsets
    registry: Registry


class HistoryStage:
    """The stage of one interactions partition."""

    contiguous = True

    def __init__(self, outside: StageContext, partition: int) -> None:
        self._outside = outside
        self._settings, self._pipeline = outside.settings, outside.pipeline
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._partition = partition
        keys = SlotKeys(outside.pipeline.state_prefix, histories_tag(partition))
        self._slot = Slot(outside.redis, keys)
        self._state: _State
        self._forgetting = Forgetting(outside, self._slot, partition)
        self._user_lists = UserLists(outside, self._slot, self._stored)
        self._aside = BackgroundTask()
        self._moving = asyncio.Lock()
        self._judging = OnlineEvaluation(outside)
        self._mark: RecordFingerprint | None = None
        self._shards = 0

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read the head and the registry."""
        await self._aside.close()
        self._shards = await partition_count(
            self._outside.redis, self._pipeline.state_prefix, self._pipeline.deltas_topic
        )
        ((tp, known),) = offsets.items()
        head = await open_slot(
            self._outside, self._slot, HistoriesHead, tp, known, self._pipeline.results
        )
        self._mark = RecordFingerprint.decode(head.last_record or b"")
        registry = await self._slot.registry(registry_of(self._pipeline.kind))
        self._state = _State(head, AppliedOffsets(head.applied_offsets), registry)
        doubt = doubt or went_back(head, known)
        await self._user_lists.open(registry, self._shards, doubt=doubt)
        return {tp: head.position}

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the cuts of the batches."""
        self._outside.leisure.applied(batches[0].read_at)
        state = self._state
        known = len(state.registry)
        cuts = [
            (record.offset, decoded(decode_interactions, batch.tp, record))
            for batch in batches
            for record in batch.records
        ]
        admitted = [
            (offset, self._admit(cut, state))
            for offset, cut in cuts
            if cut.generation == self._slot.generation
        ]
        deltas, histories = await self._revise(admitted, state)
        end = batches[-1].end
        # Whoever reads a history is to know its items, so their ids are stored before it.
        await gather_all(
            self._publisher.deliver(deltas),
            self._user_lists.note(histories),
            self._slot.put_items(end, known, state.registry.ids[known:]),
        )
        self._failpoints.reach("histories.deltas-sent")
        moved = replace(
            state.head,
            position=end,
            applied_offsets=state.fences.as_dict(),
            last_record=RecordFingerprint.of(batches[-1].records[-1]).encode(),
        )
        async with self._moving:
            await self._slot.put(end, histories.items())
            self._failpoints.reach("histories.blobs-put")
            await self._slot.commit(state.head.position, moved, len(state.registry))
            state.head = moved
            self._user_lists.owe()
        self._failpoints.reach("histories.position-moved")

    async def work(self, busy: bool) -> float:
        """Bring lists to users, beside the lane, and look for idle ones."""
        idle_in_s = await self._forgetting.step(self._state.head.newest_ts)
        self._aside.ended()
        if self._aside.under_way:
            return AWAKE_S
        lists_in_s = self._user_lists.due_in_s(busy=busy)
        if lists_in_s <= 0:
            self._aside.begin(self._user_lists.step(busy=busy))
        return min(idle_in_s, max(lists_in_s, AWAKE_S))

    async def verify(self) -> None:
        """Compare the position."""
        await self._slot.check(self._state.head.position)

    async def finish(self) -> None:
        """Everything that was applied is already stored; bring lists to users."""
        await self._aside.settle()
        await self._user_lists.finish()

    async def close(self) -> None:
        """End what goes on beside the lane."""
        await self._aside.close()

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._state.head.position

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return the last record that is stored, as of `open`."""
        return self._mark

    def fence(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._state.head.position

    async def _stored(self, users: Sequence[str]) -> dict[str, bytes]:
        """Return the histories that are stored; one that is ahead of the position is left out.

        It is used beside the lane, so the position is not to move meanwhile.
        """
        async with self._moving:
            position = self._state.head.position
            blobs = await self._slot.read_at(position, users)
        found = zip(users, (blob or (0, b"") for blob in blobs), strict=True)
        return {user: history for user, (at, history) in found if at <= position}

    def _admit(self, cut: InteractionBatch, state: _State) -> Admitted:
        news = admit(cut, state.fences, state.registry, self._pipeline.event_weights)
        head = state.head
        head.applied += news.applied
        head.dead += news.dead
        head.replayed += news.replayed
        for name, count in news.skipped.items():
            counted = counted_type(name, head.skipped)
            head.skipped[counted] = head.skipped.get(counted, 0) + count
        head.newest_ts = max(head.newest_ts, news.newest_ts)
        return news

    async def _revise(
        self, admitted: Sequence[tuple[int, Admitted]], state: _State
    ) -> tuple[dict[tuple[str, int], list[Outgoing]], dict[str, bytes]]:
        """Return the deltas of the cuts, and the histories that they leave."""
        users = list({user: None for _, news in admitted for user in (*news.users, *news.idle)})
        stored = await self._slot.read_at(state.head.position, users)
        ahead = {user: blob[0] for user, blob in zip(users, stored, strict=True) if blob}
        histories = {
            user: blob[1] if blob else b"" for user, blob in zip(users, stored, strict=True)
        }
        todos = [
            (offset, _without(news, {user for user in news.users if ahead.get(user, 0) > offset}))
            for offset, news in admitted
        ]
        await self._judging.ask(
            [todo for _, todo in todos], histories, state.registry, state.head.online_metrics
        )
        decay = self._pipeline.decay
        deltas: dict[tuple[str, int], list[Outgoing]] = {}
        for offset, todo in todos:
            idle = [
                user
                for user, ts in todo.idle.items()
                if ahead.get(user, 0) <= offset
                and histories[user]
                and newest_ts(histories[user], decay) == ts
            ]
            if todo.users:
                revisions = revise(
                    [histories[user] for user in todo.users],
                    todo.interactions,
                    state.registry,
                    self._pipeline.history_cap,
                    self._settings.forget_after or np.inf,
                    decay,
                )
            elif idle:
                revisions = Revisions.forgetting([histories[user] for user in idle], decay)
            else:
                continue
            histories.update(zip(todo.users or idle, revisions.histories(), strict=True))
            if isinstance(state.registry, RoleRegistry):
                revisions = directed(revisions, state.registry)
            origin = Origin(self._slot.generation, self._partition, offset)
            masses = (
                self._masses(todo.interactions, state.registry) if todo.users else NO_INCREMENTS
            )
            for shard, value in encode_deltas(
                revisions, state.registry, self._shards, origin, masses
            ):
                target = self._pipeline.deltas_topic, shard
                deltas.setdefault(target, []).append(Outgoing(value))
        return deltas, histories

    def _masses(self, interactions: Interactions, registry: Registry) -> PopularityIncrements:
        """Return what interactions add to the popularity of items, if anybody wants to know."""
        if not self._pipeline.makes_trending:
            return NO_INCREMENTS
        half_life_s = self._settings.trending_half_life
        columns = interactions.item, interactions.weight, interactions.ts
        return popularity_increments(*columns, half_life_s, len(registry))


def _without(news: Admitted, users: set[str]) -> Admitted:
    """Return `news` without those users, whose stored history holds it already."""
    if not users:
        return news
    keep = np.array([user not in users for user in news.users], np.bool_)
    counts = np.diff(news.interactions.starts)
    events = np.repeat(keep, counts)
    some = news.interactions
    return replace(
        news,
        users=[user for user in news.users if user not in users],
        interactions=Interactions(
            np.concatenate((np.zeros(1, np.int64), np.cumsum(counts[keep]))),
            some.item[events],
            some.weight[events],
            some.ts[events],
        ),
    )
