"""Sends the norms that other shards shared to the log of a shard."""

from collections.abc import Callable

import numpy as np

from streamapp.agents.norms.exchange import NormExchange
from streamapp.agents.runtime.background import BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.due_time import DueTime
from streamapp.core.counts.norm_table import NormTable
from streamapp.core.messages.norm_update import NORMS_KEY, encode_norm_updates
from streamapp.core.shard.norm_lookup import NormLookup
from streamapp.core.shard.shard import Shard
from streamapp.transport.producer import Outgoing

_SHARE = 2
"""Norms are taken this often within a refresh interval, so that a sweep has the rest of it."""

_POSITIONS_RARER = 4
"""Positions are taken so many times more rarely where no norm of the shard's items changed."""


class NormTaking:
    """Takes norms for one shard, for its owner.

    Norms that a list lacks altogether are taken soon, others once in a while.

    Args:
        context: Settings and connections.
        exchange: Of the worker.
        table: The norm table of the worker.
        shard: The shard.
    """

    def __init__(
        self, context: StageContext, exchange: NormExchange, table: NormTable, shard: Shard
    ) -> None:
        settings = context.settings
        self._producer = context.producer
        self._target = context.pipeline.deltas_topic, shard.number
        self._interval_s = settings.refresh_interval / _SHARE
        self._soon_s = settings.publish_interval
        self._own_messages = context.own_messages
        self._exchange = exchange
        self._table = table
        self._shard = shard
        self._lookup = NormLookup(table, shard)
        self._timer, self._soon, self._positions_timer = DueTime(), DueTime(), DueTime()
        self._sending = BackgroundTask[object]()

    def connect(self, wake: Callable[[], None]) -> None:
        """Take in how to call for a step when norms have been sent, or feeds have been read."""
        self._sending.on_end = wake
        self._exchange.connect(self._shard.number, wake)

    async def step(self) -> float:
        """Send norms if it is time; return the seconds until the next step."""
        exchange_in_s = await self._exchange.step()
        if self._sending.is_running:
            return exchange_in_s
        await self._sending.join()
        if self._shard.is_replaying:
            return min(exchange_in_s, self._interval_s)
        # A busy worker takes them with the others: each shard would make a step for them.
        is_idle = self._own_messages.wait_s <= 0
        is_new = is_idle and self._soon.is_due and self._lookup.is_new()
        if is_new or (self._timer.is_due and self._lookup.lacks_any()):
            self._send()
        return min(exchange_in_s, self._timer.due_in_s or self._interval_s)

    async def close(self) -> None:
        """Give the shard up; the next owner sends what is lacking then."""
        self._exchange.release(self._shard.number)
        await self._sending.cancel()

    def _send(self) -> None:
        self._timer.restart(self._interval_s)
        self._soon.restart(self._soon_s)
        shard = self._shard
        items, values = self._lookup.lacking()
        if not len(items) and not self._positions_timer.is_due:
            return
        self._positions_timer.restart(_POSITIONS_RARER * self._interval_s)
        # A shard whose Redis went back in time may have shared less than this one has seen.
        seen = np.maximum(self._table.positions, shard.norms_seen)
        updates = encode_norm_updates(
            shard.state_id, shard.norms_seen, seen, len(shard.registry), items, values
        )
        messages = [Outgoing(update, NORMS_KEY) for update in updates]
        self._sending.start(self._producer.deliver({self._target: messages}))
