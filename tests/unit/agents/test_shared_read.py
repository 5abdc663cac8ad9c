"""Callers share a read that begins after each of them has asked."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.agents.polling.shared_read import SharedRead

GATHER_S = 0.002


class Store:
    """A value that changes, read by a call that takes a while.

    Attributes:
        value: The value; each change makes it larger.
        takes: Turns of the event loop that each read takes before and after it sees the value.
        begun: How many reads have begun.
        running: How many are under way.
        most: The most that were under way at a time.
    """

    def __init__(self, *takes: int) -> None:
        self.value = 0
        self.takes = list(takes)
        self.begun = self.running = self.most = 0

    async def read(self) -> int:
        """Return the value at some moment between the call and the reply."""
        turns = self.takes[self.begun % len(self.takes)] if self.takes else 0
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(turns):
            await asyncio.sleep(0)
        found = self.value
        for _ in range(turns):
            await asyncio.sleep(0)
        self.running -= 1
        return found


async def test_callers_of_a_moment_share_one_read() -> None:
    """They get the same object; a caller of later gets another one."""
    store = Store()
    shared = SharedRead(store.read, GATHER_S)
    assert await asyncio.gather(*(shared.get() for _ in range(64))) == [0] * 64
    assert store.begun == 1
    store.value = 1
    assert await shared.get() == 1
    assert store.begun == 2


async def test_callers_that_ask_during_a_read_share_the_next_one() -> None:
    """What they ask for may have changed after the read saw it."""
    began, go_on = asyncio.Event(), asyncio.Event()
    store = Store()

    async def read() -> int:
        found = await store.read()
        began.set()
        await go_on.wait()
        return found

    shared = SharedRead(read, GATHER_S)
    first = asyncio.create_task(shared.get())
    await began.wait()
    store.value = 1
    later = [asyncio.create_task(shared.get()) for _ in range(10)]
    await asyncio.sleep(2 * GATHER_S)
    assert store.begun == 1
    go_on.set()
    assert (await first, await asyncio.gather(*later)) == (0, [1] * 10)
    assert store.begun == 2


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30),
)
def test_no_caller_gets_a_value_of_before_it_asked(
    takes: list[int], asks: list[tuple[int, bool]]
) -> None:
    """Whenever callers ask and the value changes; one read is under way at a time."""

    async def story() -> None:
        store = Store(*takes)
        shared = SharedRead(store.read, 0.0)

        async def ask() -> None:
            known = store.value
            assert known <= await shared.get() <= store.value

        asking = []
        for turns, changes in asks:
            for _ in range(turns):
                await asyncio.sleep(0)
            store.value += changes
            asking.append(asyncio.create_task(ask()))
        await asyncio.gather(*asking)
        assert store.most == 1
        assert store.begun <= len(asks)

    asyncio.run(story())


async def test_an_error_reaches_every_caller_and_no_later_one() -> None:
    """The next read may succeed."""
    outcomes = [ValueError("broken")]

    async def read() -> int:
        if outcomes:
            raise outcomes.pop()
        return 7

    shared = SharedRead(read, GATHER_S)
    found = await asyncio.gather(*(shared.get() for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in found] == ["broken"] * 3
    assert await shared.get() == 7


async def test_a_caller_that_is_cancelled_takes_nothing_from_the_others() -> None:
    """The read goes on, also where all callers are gone."""
    store = Store()
    shared = SharedRead(store.read, GATHER_S)
    gone, stays = (asyncio.create_task(shared.get()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == 0
    assert store.begun == 1
