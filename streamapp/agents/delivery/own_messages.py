"""Knows which messages of a worker wait for the worker itself."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from streamapp.transport.records import TP

_LONGEST_S = 2.0
"""Seconds after which the intake waits no longer: a partition may be slow, or on its way to another
worker."""


class OwnMessages:
    """The messages that a worker sent to partitions of its own, and that its tasks have to apply.

    The intake takes in more events until they are applied: backpressure makes the steps of a busy
    worker few and large (ADR-0028).

    Attributes:
        on_applied: Is called when the last of them is applied.
    """

    def __init__(self) -> None:
        self.on_applied: Callable[[], None] = lambda: None
        self._applied: dict[TP, int] = {}
        self._waiting: dict[TP, int] = {}
        self._topics: Counter[str] = Counter()
        self._being_sent = 0
        self._sent_at = 0.0
        self._changed = asyncio.Event()

    @property
    def wait_s(self) -> float:
        """The most seconds until they are applied; 0 if they are."""
        if self._waiting or self._being_sent:
            return max(0.0, self._sent_at + _LONGEST_S - time.monotonic())
        return 0.0

    async def settled(self, topic: str, within_s: float) -> None:
        """Wait until those for a topic are applied, for so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._topics[topic]:
                    self._changed.clear()
                    await self._changed.wait()

    def own(self, positions: Mapping[TP, int]) -> None:
        """Count messages for partitions from here on; their task has applied so much."""
        self._applied.update(positions)

    def release(self, tps: Iterable[TP]) -> None:
        """Count messages for partitions no longer."""
        for tp in tps:
            self._applied.pop(tp, None)
            self._remove(tp)
        self._tell()

    @contextmanager
    def being_sent(self) -> Iterator[None]:
        """Count messages that are made from others before the broker has them."""
        self._being_sent += 1
        try:
            yield
        finally:
            self._being_sent -= 1
            self._tell()

    def sent(self, ends: Mapping[tuple[str, int], int]) -> None:
        """Take in where messages end that the broker has, by topic and partition."""
        self._sent_at = time.monotonic()
        for target, end in ends.items():
            tp = TP(*target)
            if self._applied.get(tp, end) < end:
                self._topics[tp.topic] += tp not in self._waiting
                self._waiting[tp] = end

    def applied(self, tp: TP, end: int) -> None:
        """Take in that a task has applied its messages below an offset, or sends what follows."""
        if tp in self._applied:
            self._applied[tp] = end
        if self._waiting.get(tp, end + 1) <= end:
            self._remove(tp)
            self._tell()

    def _remove(self, tp: TP) -> None:
        if self._waiting.pop(tp, None) is not None:
            self._topics[tp.topic] -= 1
            if not self._topics[tp.topic]:
                self._changed.set()

    def _tell(self) -> None:
        if not self._waiting and not self._being_sent:
            self.on_applied()
