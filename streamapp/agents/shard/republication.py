"""Publishes every list of a shard again, where readers may have wrong ones."""

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.slot_opening import rolled_back
from streamapp.config.fingerprints import lists_fit
from streamapp.core.messages.delta import encode_noop
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets


class Republication:
    """Makes every list of a shard due when the shard has reached a position.

    Attributes:
        at: The position; None if nothing is to be republished.
    """

    def __init__(self, shard: Shard, at: int | None) -> None:
        self._shard = shard
        self.at = at

    def step(self) -> None:
        """Make every list due, if the shard has reached the position."""
        shard = self._shard
        if self.at is not None and shard.position >= self.at:
            shard.lists.invalidate(shard.alive())
            # Other shards may have seen norms of a later position than the stored one.
            shard.share_all()
            shard.categories.mark_all_dirty(len(shard.registry))
            self.at = None


async def republish_from(
    context: StageContext,
    slot: Slot,
    tp: TP,
    known: Offsets,
    head: ShardHead,
    *,
    lists_suspect: bool,
) -> int | None:
    """Return the position from which every list is to be published again; None for none.

    Lists may have been lost with other writes, and the output topic may hold records of a higher
    `seq` than the keys. At the end of the log, `seq` is above them all. Lists of a changed rule,
    or of a lower tolerance, need a `seq` that no list of the old rule has, so the log gets a
    message for them.

    Args:
        context: Settings and connections.
        slot: The slot of the shard.
        tp: The partition that the slot follows.
        known: Its offsets in Kafka.
        head: The head of the slot.
        lists_suspect: Whether Redis may have lost lists.
    """
    if head.rule is not None and not lists_fit(head.rule, context.settings):
        message = Outgoing(encode_noop(slot.state_id, known.end))
        await context.producer.deliver({(tp.topic, tp.partition): [message]})
        return known.end + 1
    if lists_suspect or rolled_back(head, known):
        return max(known.end, head.republish_at or 0)
    return head.republish_at
