"""Deltas of several partitions for one shard become one message, up to a size."""

import hypothesis.strategies as st
import msgspec
import numpy as np
from hypothesis import given

from streamapp.agents.delivery.joint_deltas import joint_deltas
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.delta import JOINT_BYTES, JOINT_KEY, decode_deltas
from streamapp.core.messages.rating_blocks import PART_CELLS, Blocks, joined
from streamapp.transport.producer import Outgoing
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline, deltas_in


def deltas(count: int) -> list[bytes]:
    """Return so many deltas for one shard."""
    pipeline = Pipeline(1, 9, ListRule(3))
    for number in range(count):
        pipeline.take([Act(f"u{number % 3}", f"i{number % 5}", 1.0, float(number))])
    return [one for message in pipeline.log[0] for one in deltas_in(message)]  # type: ignore[arg-type]


def test_a_delta_alone_stays_as_it_is() -> None:
    """A worker of the version before can read it, too."""
    (value,) = deltas(1)
    assert joint_deltas([Outgoing(value)]) == [Outgoing(value)]


def test_several_deltas_are_one_message_in_order() -> None:
    """With a key, by which a shard knows what it reads."""
    values = deltas(7)
    (message,) = joint_deltas([Outgoing(value) for value in values])
    assert message.key == JOINT_KEY
    assert message.value is not None
    found = decode_deltas(message.key, message.value)
    assert [msgspec.msgpack.encode(one) for one in found] == values


def test_a_message_has_a_size_and_no_delta_is_lost() -> None:
    """A large delta goes alone."""
    some = deltas(1)[0]
    large = msgspec.msgpack.encode([*msgspec.msgpack.decode(some)[:-1], float("nan")])
    large = msgspec.msgpack.encode(["x" * JOINT_BYTES, *msgspec.msgpack.decode(large)[1:]])
    values = [some, large, *[some] * 2_000]
    messages = joint_deltas([Outgoing(value) for value in values])
    assert messages[:2] == [Outgoing(some), Outgoing(large)]
    assert len(messages) > 3
    assert all(len(one.value or b"") < 1.1 * JOINT_BYTES for one in messages[2:])
    count = sum(len(decode_deltas(one.key, one.value or b"")) for one in messages)
    assert count == len(values)


@given(st.integers(0, 3_900))
def test_a_message_of_this_size_changes_no_more_cells_than_a_part_may(changed: int) -> None:
    """Whatever share of the entries has changed: all may be of one user."""
    kept = max(0, (JOINT_BYTES - 26 * changed) // 18)
    if 26 * changed <= JOINT_BYTES:
        assert changed * (changed + kept) <= PART_CELLS


def test_joined_blocks_are_the_blocks_one_after_another() -> None:
    """Ends count from the first block, and the newest time is that of all."""
    shard = Pipeline(1, 9, ListRule(3)).rows[0]
    some = [decode_deltas(None, one)[0] for one in deltas(6)]
    blocks = [one for one in shard.admit_all(some) if one is not None]
    assert len(blocks) == 6
    whole = joined(blocks)
    for name in ("changed", "before", "after", "kept", "rating", "as_of"):
        parts = [getattr(one, name) for one in blocks]
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate(parts))
    count = len(whole.as_of)
    assert count == 6
    for at in range(count):
        alone: Blocks = whole.some(at, at + 1)
        np.testing.assert_array_equal(alone.changed, blocks[at].changed)
        np.testing.assert_array_equal(alone.kept, blocks[at].kept)
    assert whole.increments.newest_ts == max(one.increments.newest_ts for one in blocks)
