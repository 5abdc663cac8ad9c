"""The interface of the process that hosts partition tasks."""

from collections.abc import Mapping
from typing import Protocol

from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.runtime.stage import Stage
from streamapp.transport.records import TP, Offsets, RecordFingerprint


class TaskHost(Protocol):
    """The process in which partition tasks run; `WorkerApp` implements it."""

    @property
    def own_messages(self) -> OwnMessages:
        """The messages that this process has to apply."""
        ...

    def task_of(self, tp: TP) -> str:
        """Return the name of the task of a partition; partitions of one name share a task."""
        ...

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Return a stage for the partitions of one task, made from their stored state.

        Args:
            offsets: The offsets of each partition in Kafka.
            lists_suspect: Whether Redis may have lost writes, lists included.

        Raises:
            PositionMovedError: another owner wrote meanwhile.
            StateError: the state and the topic do not fit.
        """
        ...

    async def read_offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        """Ask Kafka about partitions, given the position that is stored for each, if known."""
        ...

    async def seek(self, positions: Mapping[TP, int]) -> None:
        """Let the consumer read partitions from other offsets on."""
        ...

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Check that topics still hold records that were applied.

        Raises:
            StateError: a topic was deleted and created again.
            UnansweredError: Kafka did not answer.
        """
        ...

    def fail(self, error: BaseException) -> None:
        """End the process without acknowledging anything."""
        ...
