"""A background task: one coroutine at a time, whose result or error is not lost."""

import asyncio

import pytest

from streamapp.agents.runtime.background import BackgroundTask, gather_all


async def test_a_result_is_returned_once() -> None:
    """And not before the coroutine has ended."""
    task, go_on = BackgroundTask[str](), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        return "result"

    assert (task.is_running, task.is_done, await task.join()) == (False, False, None)
    task.start(work())
    assert (task.is_running, task.is_done) == (True, False)
    go_on.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (task.is_running, task.is_done) == (False, True)
    assert (await task.join(), await task.join()) == ("result", None)
    assert not task.is_done


async def test_a_caller_that_is_cancelled_leaves_the_coroutine_running() -> None:
    """A batch of lists that was sent cannot be called back."""
    task, go_on = BackgroundTask[str](), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        return "result"

    task.start(work())
    joining = asyncio.create_task(task.join())
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert task.is_running
    go_on.set()
    assert await task.join() == "result"


@pytest.mark.parametrize("outcome", ["result", "error", "cancelled"])
async def test_the_end_is_told_when_the_outcome_is_known(outcome: str) -> None:
    """However it ends, and once."""
    task, told, ended = BackgroundTask[str](), list[bool](), asyncio.Event()

    def end() -> None:
        told.append(task.is_done)
        ended.set()

    task.on_end = end

    async def work() -> str:
        if outcome == "error":
            raise ValueError("broken")
        await asyncio.sleep(0 if outcome == "result" else 3600)
        return outcome

    task.start(work())
    if outcome == "cancelled":
        await task.cancel()
    await asyncio.wait_for(ended.wait(), 10)
    assert told == [True]


async def test_an_error_is_raised_until_the_task_is_cancelled() -> None:
    """Whether a caller waited for it or not."""
    task = BackgroundTask[None]()

    async def work() -> None:
        raise ValueError("broken")

    task.start(work())
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await task.join()
        assert task.is_done
    await task.cancel()
    await task.join()
    assert not task.is_done


async def test_a_task_that_is_cancelled_stops_and_raises_nothing() -> None:
    """Also if it failed before; and another coroutine can be started."""
    task, reached = BackgroundTask[None](), list[str]()

    async def work() -> None:
        reached.append("started")
        await asyncio.Event().wait()
        reached.append("went on")

    async def fail() -> None:
        raise ValueError("broken")

    task.start(fail())
    await asyncio.sleep(0)
    await task.cancel()
    task.start(work())
    await asyncio.sleep(0)
    await task.cancel()
    assert (reached, task.is_running, task.is_done) == (["started"], False, False)


async def test_an_error_is_raised_when_nothing_is_running_any_more() -> None:
    """The first one, whichever ends last."""
    reached, go_on = list[str](), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        reached.append("ended")

    async def fail() -> None:
        raise ValueError("broken")

    doing = asyncio.create_task(gather_all(work(), fail()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not doing.done()
    go_on.set()
    with pytest.raises(ValueError, match="broken"):
        await doing
    assert reached == ["ended"]


async def test_works_that_are_awaited_together_are_cancelled_together() -> None:
    """A task that is dropped leaves nothing behind."""
    reached = list[str]()

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            reached.append(name)

    doing = asyncio.create_task(gather_all(work("a"), work("b")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert reached == ["a", "b"]
