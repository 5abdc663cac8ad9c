"""Sends the messages of many tasks together: a group commit.

A task of one of many partitions has few messages for each of many targets. A record batch costs the
worker, the broker and the reader more than one such message. So messages that tasks bring while
others are on their way wait for these, and then go out together (ADR-0026).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamapp.agents.scheduling.due_time import DueTime
from streamapp.transport.producer import Outgoing, Producer


@dataclass(frozen=True, slots=True, eq=False)
class _Delivery:
    """The messages of one caller, and the future that the caller awaits."""

    messages: Mapping[tuple[str, int], Sequence[Outgoing]]
    acknowledged: asyncio.Future[None]


class JointDelivery:
    """Delivers messages of several callers at a time.

    Args:
        producer: Sends them.
        merged: Makes fewer messages of those for one partition; they stay in order.
        rest_s: Seconds until the next messages go out, for each partition that got some.
    """

    def __init__(
        self,
        producer: Producer,
        merged: Callable[[list[Outgoing]], Sequence[Outgoing]] = lambda messages: messages,
        rest_s: float = 0.0,
    ) -> None:
        self._producer = producer
        self._merged = merged
        self._rest_s = rest_s
        self._rest = DueTime()
        self._waiting: list[_Delivery] = []
        self._sending: asyncio.Task[None] | None = None

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        """Send messages by (topic, partition); return when all of them are acknowledged.

        Raises:
            ConfigError: Kafka refuses messages for good.
        """
        if messages:
            await self._add(messages)

    def _add(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> asyncio.Future[None]:
        """Let messages go out with the next ones; return when they are acknowledged."""
        delivery = _Delivery(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(delivery)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return delivery.acknowledged

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                deliveries, self._waiting = self._waiting, []
                # A caller that has stopped waiting needs nothing any more.
                await self._send_together(
                    [one for one in deliveries if not one.acknowledged.done()]
                )
        finally:
            self._sending = None

    async def _gather(self) -> None:
        """Wait for more deliveries that are to go out with those that wait."""
        if (rest_s := self._rest.due_in_s) > 0:
            await asyncio.sleep(rest_s)

    async def _send_messages(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        self._rest.restart(self._rest_s * len(messages))
        await self._producer.deliver(messages)

    async def _send_together(self, deliveries: Sequence[_Delivery]) -> None:
        together: dict[tuple[str, int], list[Outgoing]] = {}
        for delivery in deliveries:
            for target, messages in delivery.messages.items():
                together.setdefault(target, []).extend(messages)
        failure: Exception | None = None
        try:
            await self._send_messages(
                {target: self._merged(messages) for target, messages in together.items()}
            )
        except Exception as error:  # noqa: BLE001 - the callers get it
            failure = error
        for delivery in deliveries:
            if delivery.acknowledged.done():
                continue
            if failure is None:
                delivery.acknowledged.set_result(None)
            else:
                delivery.acknowledged.set_exception(failure)
