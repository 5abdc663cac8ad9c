"""Histories in several partitions that send each other what is merged, with owners that die."""

import asyncio
import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from streamapp.agents.histories.history_reviser import HistoryReviser
from streamapp.agents.histories.history_state import HistoryState
from streamapp.config.settings import Settings
from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.histories.marks import order_number
from streamapp.core.ids.role_registry import registry_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.delta import joint
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.pipelines import pipelines
from streamapp.store.slot.blob import Blob
from streamapp.store.slot.head import HistoriesHead
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

STATE_ID = "g"
SENDING, SENT, PUT = "while it sends", "before it stores", "before it moves the position"
DEATHS = ("", SENDING, SENT, PUT)


class _Blobs:
    """The histories of a slot."""

    def __init__(self) -> None:
        self.stored: dict[str, Blob] = {}

    async def read_at(self, _position: int, names: Sequence[str]) -> list[Blob | None]:
        return [self.stored.get(name) for name in names]


@dataclass
class _Partition:
    """One partition of the interactions topic, and what is stored of it."""

    log: list[bytes] = field(default_factory=list)
    position: int = 0
    head: Mapping[str, bytes] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    blobs: _Blobs = field(default_factory=_Blobs)


class Partitions:
    """Acts go in at one event partition; counts come out in `shards`.

    Args:
        count: How many partitions of histories there are.
        cap: Most items of a history.
        kind: The kind of lists.
        forget_after_s: As the setting; infinity for never.
    """

    def __init__(
        self, count: int, cap: int = 100, kind: str = ITEM, forget_after_s: float = math.inf
    ) -> None:
        settings = Settings(
            _env_file=None, history_cap=cap, judged_share=0.0, bought_after_view=True,
            forget_after=0.0 if forget_after_s == math.inf else forget_after_s,
            event_weights={"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0},
        )  # fmt: skip
        self.pipeline = pipelines(settings)[kind]
        self.shards = Pipeline(
            2, self.pipeline.history_cap, ListRule(5), kind=kind, forget_after_s=forget_after_s
        )
        self.partitions = [_Partition() for _ in range(count)]
        self.applied = 0
        self._context: Any = SimpleNamespace(settings=settings, pipeline=self.pipeline, lists=None)
        self._taken = 0

    def take(self, acts: Sequence[Act]) -> None:
        """Read one cut."""
        builder = InteractionBatchBuilder()
        builder.begin(Source("clicks", 0, self._taken + len(acts)))
        for act in acts:
            if act.type in {"merge", "forget"}:
                builder.leave(self._taken, act.user, act.into, 0)
            else:
                order = order_number(act.order) if act.order else NO_ORDER
                builder.add(self._taken, act.user, act.item, act.type, act.ts, order)
            self._taken += 1
        for number, value in builder.encode(STATE_ID, len(self.partitions)).items():
            self.partitions[number].log.append(value)

    def work(self, number: int, most: int = 100, death: str = "", place: int = 0) -> bool:
        """Let an owner apply some batches of a partition; return whether there were any.

        Args:
            number: The partition.
            most: How many batches.
            death: When the owner dies.
            place: How much it has sent or put then.
        """
        one = self.partitions[number]
        values = one.log[one.position : one.position + most]
        if not values:
            return False
        state = self._opened(one)
        types = self.pipeline.history_rule.types
        admitted = []
        for offset, value in enumerate(values, one.position):
            cut = admit(decode_interactions(value), state.applied, state.registry, types)
            state.count(cut)
            admitted.append((offset, state.follow(cut)))
        slot: Any = SimpleNamespace(blobs=one.blobs, state_id=STATE_ID)
        reviser = HistoryReviser(self._context, slot, number, len(self.partitions), 2)
        transfers, deltas, histories = asyncio.run(reviser.revise(admitted, one.position, state))
        sent = [(target, message) for by in (transfers, deltas)
                for target, some in by.items() for message in some]  # fmt: skip
        for (topic, target), message in sent[:place] if death == SENDING else sent:
            assert message.value is not None
            if topic == self.pipeline.interactions_topic:
                self.partitions[target].log.append(message.value)
            else:
                self.shards.log[target].append(joint([message.value]))
        if death in {SENDING, SENT}:
            return True
        end = one.position + len(values)
        put = list(histories.items())
        for user, history in put[:place] if death == PUT else put:
            known = one.blobs.stored.get(user)
            if known is None or known.position <= end:
                one.blobs.stored[user] = Blob(end, history)
        if death == PUT:
            return True
        last: Any = SimpleNamespace(encode=lambda: b"")
        self.applied += state.head.applied - int(one.head.get("applied", b"0"))
        one.head = {**one.head, **state.head_at(end, last).encode()}
        one.position, one.items = end, list(state.registry.ids)
        return True

    def finish(self) -> None:
        """Let all owners work until nothing is left."""
        while sum(self.work(number) for number in range(len(self.partitions))):
            pass
        for shard in range(2):
            self.shards.drain(shard)

    def histories(self) -> dict[str, bytes]:
        """Return every history that is not empty."""
        return {
            user: blob.content
            for one in self.partitions
            for user, blob in one.blobs.stored.items()
            if blob.content
        }

    def _opened(self, one: _Partition) -> HistoryState:
        head = HistoriesHead.decode({"position": b"%d" % one.position, **one.head})
        assert head is not None
        registry = registry_of(self.pipeline.kind)
        registry.number(one.items)
        return HistoryState(copy.copy(head), AppliedOffsets(head.applied_offsets), registry)
