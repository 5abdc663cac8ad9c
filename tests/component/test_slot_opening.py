"""Where a partition is read from, and what keeps it from being read at all."""

from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.internal_message import decoded_message
from streamapp.agents.runtime.slot_opening import claim_slot, open_slot, rolled_back
from streamapp.errors import ConfigError, StateError
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets
from tests.component.harness.stages import STATE_ID, Broker, record
from tests.component.harness.stages import context as context_of

HERE = TP("log", 2)
RESULTS = '{"cap":100,"half_life":0.0}'


@pytest.fixture
async def context(redis: Redis) -> StageContext:
    """A state that was begun with three partitions of the topic."""
    made = await context_of(redis, Broker())
    await redis.hset("s:layout", "log", "3")
    return made


@pytest.fixture
def slot(redis: Redis) -> Slot:
    """A slot that is not made yet."""
    return Slot(redis, SlotKeys("s:", "u2"))


async def opened(context: StageContext, slot: Slot, offsets: Offsets, tp: TP = HERE) -> Head:
    """Open the slot."""
    return await open_slot(context, slot, Head, tp, offsets, RESULTS)


async def test_a_new_group_begins_at_the_first_record(context: StageContext, slot: Slot) -> None:
    """And notes under which settings."""
    head = await opened(context, slot, Offsets(4, 9, None))
    assert (head.position, head.begun) == (4, 4)
    assert (head.state_id, head.results) == (STATE_ID, RESULTS)
    assert slot.state_id == STATE_ID
    assert (await opened(context, slot, Offsets(4, 9, 0))).position == 4


async def test_a_state_that_is_gone_is_not_begun_again(
    redis: Redis, context: StageContext, slot: Slot
) -> None:
    """The group has come further than to the beginning."""
    with pytest.raises(StateError, match=r"log\[2\]: the group has committed offset 5, but Redis"):
        await opened(context, slot, Offsets(4, 9, 5))
    assert not await redis.exists(slot.keys.head)


@pytest.mark.parametrize("committed", [None, 0])
async def test_no_slot_is_made_while_the_state_has_no_id(
    redis: Redis, context: StageContext, slot: Slot, committed: int | None
) -> None:
    """A rebuild removes the state and makes another one: the slot would belong to neither."""
    await redis.hdel("s:layout", ":generation")
    with pytest.raises(StateError, match=r"log\[2\]: redis holds no state id \(s:layout is miss"):
        await opened(context, slot, Offsets(4, 9, committed))
    assert not await redis.exists(slot.keys.head)


async def test_a_slot_is_not_read_on_while_the_state_has_no_id(
    redis: Redis, context: StageContext, slot: Slot
) -> None:
    """Also one that was made without any, by a version that did not look."""
    await slot.create(4, RESULTS)
    await redis.delete("s:layout")
    with pytest.raises(StateError, match="start the worker again"):
        await opened(context, slot, Offsets(4, 9, None))


@pytest.mark.parametrize(
    ("offsets", "says"),
    [
        (Offsets(0, 6, None), r"log\[2\]: the state is at offset 7, but the topic ends at 6"),
        (Offsets(8, 9, None), r"log\[2\]: the state is at offset 7, but the topic begins at 8"),
    ],
)
async def test_a_position_that_the_topic_does_not_have_is_refused(
    context: StageContext, slot: Slot, offsets: Offsets, says: str
) -> None:
    """Records are lost, or the topic is another one."""
    await opened(context, slot, Offsets(7, 7, None))
    with pytest.raises(StateError, match=says):
        await opened(context, slot, offsets)


@pytest.mark.parametrize("offsets", [Offsets(7, 7, 7), Offsets(7, 9, 6), Offsets(0, 7, None)])
async def test_a_position_at_either_end_of_the_topic_is_fine(
    context: StageContext, slot: Slot, offsets: Offsets
) -> None:
    """Nothing is counted as a rollback there."""
    await opened(context, slot, Offsets(7, 7, None))
    head = await opened(context, slot, offsets)
    assert head.position == 7
    again = await slot.head(Head)
    assert again is not None
    assert again.rolled_back == 0


async def test_a_rollback_is_counted_and_logged(
    context: StageContext, slot: Slot, caplog: pytest.LogCaptureFixture
) -> None:
    """Once each time; reading goes on at the state."""
    await opened(context, slot, Offsets(7, 7, None))
    assert (await opened(context, slot, Offsets(0, 20, 12))).position == 7
    head = await slot.head(Head)
    assert head is not None
    assert (head.rolled_back, head.rolled_back_offsets) == (1, 5)
    assert caplog.messages == [
        "log[2]: offset 12 was stored once, the state is at 7; reading on from there"
    ]


@pytest.mark.parametrize(
    ("committed", "back"), [(None, 0), (0, 0), (6, 0), (7, 0), (8, 1), (12, 5)]
)
def test_how_far_redis_went_back(committed: int | None, back: int) -> None:
    """What was committed was stored before."""
    assert rolled_back(Head(7), Offsets(0, 20, committed)) == back


async def test_a_partition_that_was_added_to_a_topic_of_events_is_read_from_its_beginning(
    redis: Redis, context: StageContext, caplog: pytest.LogCaptureFixture
) -> None:
    """It is one more source; the layout records it."""
    await redis.hset("s:layout", "clicks", "2")
    slot = Slot(redis, SlotKeys("s:", "e:clicks:2"))
    head = await opened(context, slot, Offsets(0, 9, None), TP("clicks", 2))
    assert (head.position, await redis.hget("s:layout", "clicks")) == (0, b"3")
    assert "clicks has 3 partitions, 1 more than before" in caplog.text


@pytest.mark.parametrize(("begun", "refused"), [(0, False), (1, True), (2, True), (3, False)])
async def test_a_partition_that_was_added_is_refused(
    redis: Redis, context: StageContext, slot: Slot, begun: int, refused: bool
) -> None:
    """Users would have changed their partition; where nothing is known, nothing was."""
    await redis.hset("s:layout", "log", begun)
    if not refused:
        assert (await opened(context, slot, Offsets(4, 9, None))).position == 4
        return
    with pytest.raises(
        ConfigError, match=f"log has 3 partitions, the state was begun with {begun}"
    ):
        await opened(context, slot, Offsets(4, 9, None))


async def test_a_slot_of_another_state_is_refused(
    redis: Redis, context: StageContext, slot: Slot
) -> None:
    """It lies under the same prefix."""
    await opened(context, slot, Offsets(4, 9, None))
    await redis.hset(slot.keys.head, "generation", "h")
    with pytest.raises(StateError, match=r"head belongs to another state than the rest under s:"):
        await opened(context, slot, Offsets(4, 9, None))


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (
            '{"cap":50,"half_life":0.0}',
            "other settings: STREAMAPP_CAP was 50, is 100; set them back",
        ),
        (
            '{"half_life":60.0,"old":1}',
            "CAP was null, is 100, STREAMAPP_HALF_LIFE was 60.0, is 0.0, STREAMAPP_OLD was 1, is",
        ),
    ],
)
async def test_a_state_of_other_settings_is_refused_with_what_differs(
    redis: Redis, context: StageContext, slot: Slot, stored: str, says: str
) -> None:
    """Each by its name."""
    await opened(context, slot, Offsets(4, 9, None))
    await redis.hset(slot.keys.head, "results", stored)
    with pytest.raises(StateError) as caught:
        await opened(context, slot, Offsets(4, 9, None))
    assert says in str(caught.value)


def test_a_message_of_somebody_else_is_refused_with_its_place() -> None:
    """Only the app writes to internal topics."""

    def decode(value: bytes) -> Any:
        return msgspec.json.decode(value)

    assert decoded_message(decode, HERE, record(4, b"[1]")) == [1]
    with pytest.raises(StateError, match=r"log\[2\] offset 4: not a message of this app"):
        decoded_message(decode, HERE, record(4, b"{"))
    with pytest.raises(StateError, match="offset 5"):
        decoded_message(decode, HERE, record(5, b""))


async def test_each_claim_has_a_token_of_its_own(slot: Slot) -> None:
    """The owner before finds that it is the owner no more."""
    first = await claim_slot(slot)
    assert await slot.ownership.is_owner(first)
    second = await claim_slot(slot)
    assert len(first) == len(second) == 16
    assert [await slot.ownership.is_owner(owner) for owner in (first, second)] == [False, True]
