"""When a shard is stored, and who hears of it."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest

from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.agents.scheduling.shared_pauses import SharedPauses
from streamapp.agents.shard.checkpoint_scheduler import CheckpointScheduler

NOTHING = np.zeros(3, np.bool_)


class Checkpoint:
    """Writes what a test lets it take.

    Attributes:
        taken: What is taken next; None for nothing.
        go_on: Set when a write may end.
        error: Raised by the next write, if any.
    """

    def __init__(self) -> None:
        self.taken: Any = None
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    def is_complete(self, _: int) -> bool:
        """Say that everything is stored."""
        return self.taken is None

    def take(self, *_: Any) -> Any:
        """Take what there is, once."""
        taken, self.taken = self.taken, None
        return taken

    async def write(self, *_: Any) -> None:
        """Wait until it may end."""
        await self.go_on.wait()
        if self.error is not None:
            raise self.error


class Here:
    """A scheduler of one shard.

    Attributes:
        heads: Knows what this worker changed.
        checkpoint: Takes and writes.
        scheduler: The scheduler.
        woken: Set when the scheduler asks for a step.
    """

    def __init__(self) -> None:
        self.heads = ShardHeads(AsyncMock())
        self.checkpoint = Checkpoint()
        checkpoint: Any = self.checkpoint
        settings = SimpleNamespace(row_cache_bytes=1, checkpoint_interval=0.0)
        context: Any = SimpleNamespace(
            settings=settings,
            heads=self.heads,
            own_messages=OwnMessages(),
            checkpoint_pauses=SharedPauses(),
        )
        shard: Any = SimpleNamespace(
            lists=SimpleNamespace(dirty=NOTHING),
            position=7,
            mask=lambda _: NOTHING,
            shrink=lambda _: None,
        )
        log: Any = SimpleNamespace(fingerprint=None, replayed=0, applied_at=0.0)
        publisher: Any = SimpleNamespace(sender=SimpleNamespace(in_flight=None), published=0)
        sweep: Any = SimpleNamespace(pending=NOTHING, listed_update_offset=0)
        republication: Any = SimpleNamespace(at=None)
        self.scheduler = CheckpointScheduler(
            context, shard, checkpoint, log, publisher, sweep, republication
        )
        self.woken = asyncio.Event()
        self.scheduler.connect(self.woken.set)


async def test_a_shard_without_changes_needs_no_further_step() -> None:
    """Whatever changes, changes in a step of its stage, and this one follows."""
    here = Here()
    assert await here.scheduler.step(busy=False) == NEVER
    here.checkpoint.taken = "changes"
    assert await here.scheduler.step(busy=False) == NEVER
    here.checkpoint.go_on.set()
    await asyncio.wait_for(here.woken.wait(), 10)
    assert here.heads.changes == 1


async def test_jobs_hear_of_a_checkpoint_when_it_is_stored() -> None:
    """Not before; and the stage makes a step then."""
    here = Here()
    here.checkpoint.taken = "changes"
    await here.scheduler.step(busy=False)
    await asyncio.sleep(0)
    assert (here.heads.changes, here.woken.is_set()) == (0, False)
    assert await here.scheduler.step(busy=False) == NEVER
    here.checkpoint.go_on.set()
    await asyncio.wait_for(here.woken.wait(), 10)
    assert here.heads.changes == 1


async def test_a_checkpoint_that_failed_is_raised_by_the_step_that_it_asks_for() -> None:
    """Jobs need not look: nothing is stored."""
    here = Here()
    here.checkpoint.taken, here.checkpoint.error = "changes", ValueError("broken")
    await here.scheduler.step(busy=False)
    here.checkpoint.go_on.set()
    await asyncio.wait_for(here.woken.wait(), 10)
    assert here.heads.changes == 0
    with pytest.raises(ValueError, match="broken"):
        await here.scheduler.step(busy=False)
