"""Applies interactions to stored histories, and derives the deltas of the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from streamapp.agents.histories.history_state import HistoryState
from streamapp.agents.histories.online_evaluation import OnlineEvaluation
from streamapp.agents.runtime.context import StageContext
from streamapp.core.arrays.array_types import Bools
from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.history import Interactions, Revisions, revise
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import newest_ts
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry
from streamapp.core.messages.delta import Origin, encode_deltas
from streamapp.core.messages.interaction_batch import Admitted, Leaving, partition_of
from streamapp.core.messages.popularity_increments import (
    NO_INCREMENTS,
    PopularityIncrements,
    popularity_increments,
)
from streamapp.core.messages.transfer import Transfer, TransferSender, events_of
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing

Messages: TypeAlias = dict[tuple[str, int], list[Outgoing]]
"""Messages by topic and partition."""


class HistoryReviser:
    """Revises the histories of one interactions partition.

    Args:
        context: Settings and connections.
        slot: The slot of the histories.
        partition: The partition.
        partitions: How many interactions partitions there are.
        shards: How many shards receive deltas.
    """

    def __init__(
        self, context: StageContext, slot: Slot, partition: int, partitions: int, shards: int
    ) -> None:
        self._pipeline = context.pipeline
        self._trending_half_life_s = context.settings.trending_half_life
        self._only_news = context.settings.trending_repeats == "daily"
        self._slot = slot
        self._partition = partition
        self._partitions = partitions
        self._shards = shards
        self._evaluation = OnlineEvaluation(context)

    async def revise(
        self, admitted: Sequence[tuple[int, Admitted]], position: int, state: HistoryState
    ) -> tuple[Messages, Messages, dict[str, bytes]]:
        """Return what interaction batches cause: transfers, deltas, and the histories after them.

        A run of the same batches makes the same transfers. They are acknowledged before any history
        is stored, so a user whose history is ahead needs none.

        Args:
            admitted: The new interactions of each batch, with its offset.
            position: The position that is stored.
            state: The registry, and the metrics that are added to.

        Raises:
            PositionMovedError: the stored position is not `position`.
        """
        users = list(
            {
                user: None
                for _, cut in admitted
                if not cut.onward
                for user in (*cut.users, *cut.idle)
            }
        )
        stored = await self._slot.blobs.read_at(position, users)
        ahead = {user: blob[0] for user, blob in zip(users, stored, strict=True) if blob}
        histories = {
            user: blob[1] if blob else b"" for user, blob in zip(users, stored, strict=True)
        }
        todos = [
            (offset, _without(cut, {user for user in cut.users if ahead.get(user, 0) > offset}))
            for offset, cut in admitted
        ]
        await self._evaluation.evaluate(
            [todo for _, todo in todos if not todo.origin],
            histories, state.registry, state.head.online_metrics,
        )  # fmt: skip
        deltas: Messages = {}
        transfers: Messages = {}
        for offset, todo in todos:
            self._send_on(self._leaving(todo, histories, state), offset, state, transfers)
            if todo.onward:
                continue
            idle = [
                user
                for user, ts in todo.idle.items()
                if ahead.get(user, 0) <= offset
                and histories[user]
                and newest_ts(histories[user], self._pipeline.decay) == ts
            ]
            revised = todo.users or idle
            if not revised and not len(todo.of_nobody.item):
                continue
            revisions = self._revisions(todo, [histories[user] for user in revised], state.registry)
            histories.update(zip(revised, revisions.stored, strict=True))
            increments = self._increments(todo, revisions.is_news, state.registry)
            if isinstance(state.registry, RoleRegistry):
                revisions = directed_revisions(revisions, state.registry)
            origin = Origin(self._slot.state_id, self._partition, offset)
            for shard, value in encode_deltas(
                revisions, state.registry, self._shards, origin, increments
            ):
                target = self._pipeline.deltas_topic, shard
                deltas.setdefault(target, []).append(Outgoing(value))
        return transfers, deltas, histories

    def _leaving(
        self, todo: Admitted, histories: Mapping[str, bytes], state: HistoryState
    ) -> list[Transfer]:
        """Return the histories that leave for another user, as they are at that event."""
        rule, registry = self._pipeline.history_rule, state.registry
        if todo.onward:
            return [Transfer(todo.interactions, todo.onward)]
        found = []
        for one in todo.leaving:
            if one.departure.into:
                before = _history_at(one, todo, histories[one.user], registry, rule)
                found.append(Transfer(events_of(before, rule, registry), one.departure))
        return found

    def _send_on(
        self, some: Sequence[Transfer], offset: int, state: HistoryState, messages: Messages
    ) -> None:
        """Add the messages of transfers that an interaction batch causes."""
        rule = self._pipeline.history_rule
        sender = TransferSender(self._slot.state_id, self._partition, state.registry, rule)
        place = 0
        for one in some:
            partition = partition_of(one.origin.into, self._partitions)
            target = self._pipeline.interactions_topic, partition
            for value in sender.encode(one, offset, place):
                messages.setdefault(target, []).append(Outgoing(value))
                place += 1

    def _revisions(self, todo: Admitted, histories: list[bytes], registry: Registry) -> Revisions:
        """Return the changes by interactions, or else by the forgetting of idle users."""
        some = todo.interactions if todo.users else Interactions.forgetting(len(histories))
        return revise(histories, some, registry, self._pipeline.history_rule)

    def _increments(
        self, todo: Admitted, is_news: Bools, registry: Registry
    ) -> PopularityIncrements:
        """Return the popularity that interactions add to items, if trending lists are made.

        Args:
            todo: The interactions; those of a transfer were counted when they came.
            is_news: Of the interactions of users, from their revision.
            registry: The items' ids.
        """
        if not self._pipeline.makes_trending or todo.origin:
            return NO_INCREMENTS
        item, code, ts = (
            np.concatenate([getattr(part, name) for part in (todo.interactions, todo.of_nobody)])
            for name in ("item", "type", "ts")
        )
        weights = self._pipeline.history_rule.types.weight
        counts = code < len(weights)
        if self._only_news:
            counts[: len(todo.interactions.item)] &= is_news[: len(todo.interactions.item)]
        return popularity_increments(
            item[counts],
            weights[code[counts]],
            ts[counts],
            self._trending_half_life_s,
            len(registry),
        )


def _history_at(
    leaving: Leaving, todo: Admitted, history: bytes, registry: Registry, rule: HistoryRule
) -> bytes:
    """Return the history of a user just before an event that ends it."""
    some, end = todo.interactions, leaving.event
    start = int(some.starts[todo.users.index(leaving.user)])
    if start == end:
        return history
    earlier = Interactions(
        np.array([0, end - start], np.int64),
        some.item[start:end],
        some.type[start:end],
        some.ts[start:end],
        some.order[start:end],
    )
    (before,) = revise([history], earlier, registry, rule).stored
    return before


def _without(cut: Admitted, users: set[str]) -> Admitted:
    """Return `cut` without those users, whose stored history holds it already."""
    if not users or cut.onward:
        return cut
    keep = np.array([user not in users for user in cut.users], np.bool_)
    counts = np.diff(cut.interactions.starts)
    events = np.repeat(keep, counts)
    some = cut.interactions
    place_of = np.cumsum(events) - 1
    return replace(
        cut,
        users=[user for user in cut.users if user not in users],
        leaving=[
            one._replace(event=int(place_of[one.event]))
            for one in cut.leaving
            if one.user not in users
        ],
        interactions=Interactions(
            np.concatenate((np.zeros(1, np.int64), np.cumsum(counts[keep]))),
            some.item[events],
            some.type[events],
            some.ts[events],
            some.order[events],
        ),
    )
