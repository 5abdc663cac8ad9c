"""When a sweep over the item lists of a shard begins."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest

from streamapp.agents.scheduling import due_time, duty_cycle, maintenance_budget
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.agents.shard.norm_change_sweep import NormChangeSweep

INTERVAL_S = 2.0


class Here:
    """The sweeps of a shard of one item, whose norm changes when a test says so.

    Attributes:
        now_s: The time, which a test sets.
        budget: Knows when records came in.
        began: How many sweeps began.
        sweep: The sweeps.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        for module in (due_time, duty_cycle, maintenance_budget):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.began = 0
        self.budget = MaintenanceBudget()
        self.changed = np.zeros(1, np.bool_)
        self.visibility = SimpleNamespace(last_update_offset=0)
        shard: Any = SimpleNamespace(
            is_replaying=False,
            norms_seen=np.zeros(1, np.int64),
            norms=SimpleNamespace(changed=self.changed, take_changes=self._take),
            visibility=self.visibility,
            outdated=lambda *_: np.zeros(1, np.int32),
            lists=SimpleNamespace(dirty=np.ones(1, np.bool_)),
        )
        publisher: Any = None
        self.sweep = NormChangeSweep(shard, publisher, AsyncMock(), self.budget, INTERVAL_S)

    def _take(self) -> tuple[Any, Any]:
        self.began += 1
        taken = self.changed.copy()
        self.changed[:] = False
        return taken, ~taken

    async def live(self, seconds: float, *, busy: bool) -> None:
        """Let the norm change ten times a second, with records or without them."""
        for _ in range(round(seconds * 10)):
            self.changed[:] = True
            if busy:
                self.budget.applied(self.now_s)
            await self.sweep.step()
            self.now_s += 0.1


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Return a shard."""
    return Here(monkeypatch)


async def test_a_sweep_begins_once_in_an_interval_where_no_records_come_in(here: Here) -> None:
    """The worker has nothing else to do."""
    await here.live(20.5, busy=False)
    assert 9 <= here.began <= 10


async def test_a_sweep_begins_once_in_ten_intervals_while_records_come_in(here: Here) -> None:
    """Norms change with every event, and lists need not follow each of them."""
    await here.live(61.0, busy=True)
    assert here.began == 3


async def test_a_sweep_begins_two_seconds_after_the_last_record(here: Here) -> None:
    """Then lists are exact again."""
    await here.live(6.0, busy=True)
    assert here.began == 1
    await here.live(1.7, busy=False)
    assert here.began == 1
    await here.live(0.5, busy=False)
    assert here.began == 2


async def test_a_sweep_for_a_hidden_item_begins_while_records_come_in(here: Here) -> None:
    """No list may show it for long."""
    await here.live(6.0, busy=True)
    here.visibility.last_update_offset = 7
    await here.live(0.1, busy=True)
    assert here.began == 2


async def test_a_shard_without_changed_norms_has_no_sweep(here: Here) -> None:
    """It is woken by what changes them."""
    assert await here.sweep.step() == NEVER
    assert here.began == 0
