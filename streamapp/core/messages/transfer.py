"""Histories on their way to another user: as interactions that make the same entries again.

A mark of a history is the newest event of one type, so the events of all marks give the history
back, and give the union where there is one already. The newest comes first: only it can be late
enough to start a new history, and the order of the others makes no difference (ADR-0032).

A message has a source of its own for each partition that sends. So a reader drops a copy by its
sequence number, like any other repeated batch.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from streamapp.core.histories.departures import Departure
from streamapp.core.histories.event_types import HIDDEN_CODE, HIDE, NO_ORDER, ORDER_CODE
from streamapp.core.histories.history import Interactions
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import unpacked
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.interaction_batch import InteractionBatch, Source, encode_batch

TRANSFERS = "merges:"
"""In place of a topic, in the source of a message: no topic has this name."""

SEQUENCE_BITS = 20
"""The sequence number of a message is the offset of its cause << SEQUENCE_BITS, plus its place."""

_MOST_EVENTS = 10_000
"""Most events of a message: the longest ids fit into it."""


class Transfer(NamedTuple):
    """A history that travels.

    Attributes:
        events: Of one user, as `events_of` returns them.
        origin: The merge that sends it; `into` is the user who takes it over.
    """

    events: Interactions
    origin: Departure


class TransferSender(NamedTuple):
    """Who sends.

    Attributes:
        state_id: The id of the state.
        partition: Of the histories.
        registry: The ids of the items.
        rule: What a history keeps.
    """

    state_id: str
    partition: int
    registry: Registry
    rule: HistoryRule

    def encode(self, transfer: Transfer, offset: int, place: int) -> Iterator[bytes]:
        """Yield the messages of a transfer.

        Args:
            transfer: What is sent.
            offset: Of the interaction batch that causes it.
            place: How many messages this batch has caused before.

        Cost: O(events).
        """
        events, names = transfer.events, self.rule.types.names
        for start in range(0, len(events.item), _MOST_EVENTS):
            some = slice(start, start + _MOST_EVENTS)
            sequence = (offset << SEQUENCE_BITS) + place
            place += 1
            used, item = np.unique(events.item[some], return_inverse=True)
            codes, kind = np.unique(events.type[some], return_inverse=True)
            size = len(item)
            columns = [
                np.zeros(size, "<i4"),
                np.full(size, sequence, "<i8"),
                np.zeros(size, "<i4"),
                item.astype("<i4"),
                kind.astype("<i4"),
                events.ts[some].astype("<f8"),
            ]
            orders = events.order[some]
            yield encode_batch(
                InteractionBatch(
                    self.state_id,
                    [Source(TRANSFERS, self.partition, sequence + 1)],
                    [transfer.origin.into],
                    [self.registry.ids[number] for number in used.tolist()],
                    [HIDE if code == HIDDEN_CODE else names[code] for code in codes.tolist()],
                    [column.tobytes() for column in columns],
                    [],
                    [],
                    orders=orders.astype("<f8").tobytes() if orders.any() else b"",
                    origin=transfer.origin,
                )
            )


def events_of(history: bytes, rule: HistoryRule, registry: Registry) -> Interactions:
    """Return the events of a history, newest first.

    Args:
        history: As it is stored; b"" for none.
        rule: What it keeps.
        registry: The ids of the items.
    """
    _, item, kind, value = unpacked([history], rule, registry)
    is_order = kind == ORDER_CODE
    order = np.full(len(item), NO_ORDER)
    named = np.flatnonzero(is_order)
    order[named - 1] = value[named]
    marks = np.flatnonzero(~is_order)
    marks = marks[np.argsort(-value[marks], kind="stable")]
    starts = np.array([0, len(marks)], np.int64)
    return Interactions(starts, item[marks], kind[marks], value[marks], order[marks])
