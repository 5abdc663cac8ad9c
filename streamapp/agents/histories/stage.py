"""Turns interaction batches into revised histories, and into deltas of the rows.

For a run of batches, the stage reads the histories of their users, applies the history rule, and
sends the deltas of each batch to the shards. When the broker has them, it writes the histories and
moves the stored position. Item numbers follow from the log alone, so the ids of new items are
stored before the histories that refer to them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from streamapp.agents.histories.history_reviser import HistoryReviser
from streamapp.agents.histories.history_state import HistoryState
from streamapp.agents.histories.history_store import HistoryStore
from streamapp.agents.histories.idle_user_scan import IdleUserScan
from streamapp.agents.runtime.background import POLL_S, BackgroundTask, gather_all
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.internal_message import decoded_message
from streamapp.agents.runtime.slot_opening import open_slot, rolled_back
from streamapp.agents.user_lists.user_lists import UserLists
from streamapp.core.ids.role_registry import registry_of
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import (
    Admitted,
    InteractionBatch,
    admit,
    decode_interactions,
)
from streamapp.store.slot.head import HistoriesHead
from streamapp.store.slot.keys import SlotKeys, histories_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import partition_count
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


class HistoryStage:
    """The stage of one interactions partition.

    Args:
        context: Settings and connections.
        partition: The partition.
        slot: The slot of its histories.
        state: The head of the slot, and its items.
        store: The histories in the slot.
        user_lists: The lists of the users of the partition.
        reviser: Applies interactions to them.
    """

    contiguous = True

    def __init__(
        self,
        context: StageContext,
        partition: int,
        slot: Slot,
        state: HistoryState,
        store: HistoryStore,
        user_lists: UserLists,
        reviser: HistoryReviser,
    ) -> None:
        self._types = context.pipeline.history_rule.types
        self._tells_users = context.pipeline.is_main
        self._budget = context.budget
        self._delivery = context.delta_delivery
        self._producer = context.producer
        self._failpoints = context.failpoints
        self.slots = [slot]
        self._slot = slot
        self._state = state
        self._store = store
        self._user_lists = user_lists
        self._fingerprint = RecordFingerprint.decode(state.head.last_record or b"")
        self._reviser = reviser
        self._idle_user_scan = IdleUserScan(context, slot, partition)
        self._listing = BackgroundTask[None]()

    @classmethod
    async def open(
        cls, context: StageContext, offsets: Mapping[TP, Offsets], *, lists_suspect: bool
    ) -> Self:
        """Read the head and the registry, and claim the slot."""
        ((tp, known),) = offsets.items()
        pipeline, prefix = context.pipeline, context.pipeline.state_prefix
        partitions = await partition_count(context.redis, prefix, pipeline.interactions_topic)
        shards = await partition_count(context.redis, prefix, pipeline.deltas_topic)
        slot = Slot(context.redis, SlotKeys(prefix, histories_tag(tp.partition)))
        head = await open_slot(context, slot, HistoriesHead, tp, known, pipeline.results)
        registry = await slot.item_ids.registry(registry_of(pipeline.kind))
        state = HistoryState(head, AppliedOffsets(head.applied_offsets), registry)
        store = HistoryStore(slot, head.position, context.failpoints)
        user_lists = await UserLists.open(
            context, slot, store.read, state.registry, shards,
            lists_suspect=lists_suspect or rolled_back(head, known) > 0,
        )  # fmt: skip
        reviser = HistoryReviser(context, slot, tp.partition, partitions, shards)
        return cls(context, tp.partition, slot, state, store, user_lists, reviser)

    def connect(self, wake: Callable[[], None]) -> None:
        """Let the task go on with user lists when they were made, or when the topic has them."""
        self._listing.on_end = wake
        self._user_lists.connect(wake)

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the interaction batches in record batches."""
        self._budget.applied(batches[0].read_at)
        state, store = self._state, self._store
        known = len(state.registry)
        decoded_batches = [
            (record.offset, decoded_message(decode_interactions, batch.tp, record))
            for batch in batches
            for record in batch.records
        ]
        admitted = [
            (offset, self._admit(one))
            for offset, one in decoded_batches
            if one.state_id == self._slot.state_id
        ]
        transfers, deltas, histories = await self._reviser.revise(admitted, store.position, state)
        end = batches[-1].end
        forgotten = {user for _, cut in admitted for user in cut.forgotten if self._tells_users}
        # A history that only travels on changes nothing for the user whom it passes.
        passed = {user for _, cut in admitted if cut.origin for user in cut.users}
        live = {user: one for user, one in histories.items() if one or user not in passed}
        if transfers:
            await self._producer.deliver(transfers)
            self._failpoints.reach("histories.transfers-sent")
        # The ids of items are stored before a history that refers to them can be read.
        await gather_all(
            self._delivery.deliver_of(batches[-1].tp, end, deltas),
            self._user_lists.prepare(live, forgotten),
            self._slot.item_ids.put_ids(end, known, state.registry.ids[known:]),
        )
        self._failpoints.reach("histories.deltas-sent")
        head = state.head_at(end, RecordFingerprint.of(batches[-1].records[-1]))
        await store.write_and_commit(histories, head, len(state.registry))
        state.head = head
        self._user_lists.activate()
        self._failpoints.reach("histories.position-moved")

    async def work(self, busy: bool) -> float:
        """Find idle users, and make user lists in the background."""
        idle_in_s = await self._idle_user_scan.step(self._state.head.newest_ts)
        if self._listing.is_running:
            return idle_in_s
        await self._listing.join()
        lists_in_s = self._user_lists.due_in_s(busy=busy)
        if lists_in_s <= 0:
            self._listing.start(self._user_lists.step(busy=busy))
            return idle_in_s
        return min(idle_in_s, max(lists_in_s, POLL_S))

    async def finish(self, until: float = math.inf) -> None:
        """Publish the lists of users; everything that was applied is already stored."""
        await self._listing.join()
        await self._user_lists.finish(until)

    async def close(self) -> None:
        """Cancel the making of user lists, and end a sweep."""
        await self._listing.cancel()
        self._user_lists.close()

    async def drain(self) -> None:
        """Wait until the broker has every list that was sent."""
        await self._user_lists.drain()

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._store.position

    def stored_position(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._store.position

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the last record in the state that was opened."""
        return self._fingerprint

    def _admit(self, batch: InteractionBatch) -> Admitted:
        state = self._state
        cut = admit(batch, state.applied, state.registry, self._types)
        state.count(cut)
        return state.follow(cut)
