"""Sends the deltas that follow from one round of interactions together."""

from collections.abc import Mapping, Sequence

from streamapp.agents.delivery.joint_delivery import JointDelivery
from streamapp.agents.delivery.joint_deltas import joint_deltas
from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.transport.producer import Outgoing, Producer
from streamapp.transport.records import TP

_LONGEST_S = 1.0
"""Most seconds that deltas wait for those of other partitions."""


class DeltaDelivery(JointDelivery):
    """Delivers deltas when each partition that has interactions of the worker has brought its own.

    So a shard gets one message from a round, and makes one step for it (ADR-0028).

    Args:
        producer: Sends them.
        own_messages: Knows the interactions that wait, and learns which deltas were sent.
        interactions_topic: The topic of the interactions.
    """

    def __init__(
        self, producer: Producer, own_messages: OwnMessages, interactions_topic: str
    ) -> None:
        super().__init__(producer, joint_deltas)
        self._own_messages = own_messages
        self._interactions_topic = interactions_topic

    async def deliver_of(
        self, tp: TP, end: int, deltas: Mapping[tuple[str, int], Sequence[Outgoing]]
    ) -> None:
        """Send the deltas of some interactions; return when all of them are acknowledged.

        Args:
            tp: The partition of the interactions.
            end: The offset behind them.
            deltas: By topic and partition.

        Raises:
            ConfigError: Kafka refuses messages for good.
        """
        with self._own_messages.being_sent():
            added = self._add(deltas) if deltas else None
            # Not before: the deltas of other partitions would go out without these.
            self._own_messages.applied(tp, end)
            if added is not None:
                await added

    async def _gather(self) -> None:
        await self._own_messages.settled(self._interactions_topic, _LONGEST_S)

    async def _send_messages(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        self._own_messages.sent(await self._producer.deliver(messages))
