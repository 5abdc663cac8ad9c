"""The consumer's actions when partitions are assigned, and their order."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamapp.transport.consuming import consumer
from streamapp.transport.consuming.consumer import Consumer
from streamapp.transport.records import Offsets

HERE = TP("log", 0)


class Owner:
    """Records its calls."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    async def drop(self) -> None:
        """Record the call."""
        self.told.append("drop")

    async def open(self, offsets: dict[TP, Offsets]) -> dict[TP, int]:
        """Record the call; begin at 7."""
        self.told.append(f"open, committed {offsets[HERE].committed}")
        return {HERE: 7}


async def test_nobody_is_at_work_while_reading_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust seeks to the committed offset first: a worker that still ran would get it again."""
    told: list[str] = []

    class Here(Consumer):
        def __init__(self) -> None:
            self.transport: Any = SimpleNamespace(owner=Owner(told), settings=None)

        def assignment(self) -> set[TP]:
            return {HERE}

        async def seek_to_committed(self) -> dict[TP, int]:
            told.append("seek to what is committed")
            return {HERE: 3}

        async def seek_to(self, positions: Any) -> None:
            told.append(f"seek to {positions[HERE]}")

    async def read_offsets(_: Any, __: Any, committed: dict[TP, int]) -> dict[TP, Offsets]:
        return {HERE: Offsets(0, 9, committed[HERE])}

    monkeypatch.setattr(consumer, "read_offsets", read_offsets)
    await Here().perform_seek()
    assert told == ["drop", "seek to what is committed", "open, committed 3", "seek to 7"]
