"""What goes on beside a lane: one thing at a time, whose end is told once."""

import asyncio

import pytest

from streamapp.agents.runtime.background import BackgroundTask, gather_all


async def test_the_end_of_what_went_on_is_told_once() -> None:
    """And not before it has come."""
    aside, go_on = BackgroundTask(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()

    assert (aside.under_way, aside.ended()) == (False, False)
    aside.begin(work())
    assert (aside.under_way, aside.ended()) == (True, False)
    go_on.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (aside.under_way, aside.ended(), aside.ended()) == (False, True, False)


async def test_what_it_raised_is_raised_where_its_end_is_asked_for() -> None:
    """Whether that is waited for or not."""
    aside = BackgroundTask()

    async def work() -> None:
        raise ValueError("broken")

    aside.begin(work())
    with pytest.raises(ValueError, match="broken"):
        await aside.settle()
    await aside.settle()
    assert not aside.ended()


async def test_what_is_closed_goes_no_further_and_raises_nothing() -> None:
    """Also where it failed before; and something else can be begun."""
    aside, reached = BackgroundTask(), list[str]()

    async def work() -> None:
        reached.append("begun")
        await asyncio.Event().wait()
        reached.append("gone on")

    async def fail() -> None:
        raise ValueError("broken")

    aside.begin(fail())
    await asyncio.sleep(0)
    await aside.close()
    aside.begin(work())
    await asyncio.sleep(0)
    await aside.close()
    assert (reached, aside.under_way, aside.ended()) == (["begun"], False, False)


async def test_an_error_is_raised_when_nothing_goes_on_behind_it() -> None:
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


async def test_what_is_done_together_is_cancelled_together() -> None:
    """A lane that is dropped leaves nothing behind."""
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
