"""Item ids in a message are looked up once, and mean the same under any numbers."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.arrays.array_types import Ints
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.events.values.ids import MAX_ID_BYTES
from streamapp.core.histories.history import revise
from streamapp.core.ids import item_dictionary
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.item_dictionary import EncodedItems, encode_items
from streamapp.core.ids.received_items import ReceivedItems
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.delta import (
    Delta,
    Origin,
    decode_delta,
    encode_deltas,
    encode_noop,
)
from streamapp.core.shard.shard import Shard
from tests.support.histories import one_user, rule

IDS = st.text(min_size=1, max_size=6) | st.sampled_from(["a", "b", "é", "x" * MAX_ID_BYTES])


def ints(*numbers: int) -> Ints:
    """Return numbers as arrays have them."""
    return np.array(numbers, np.int32)


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(IDS, unique=True)), max_size=8))
def test_numbers_are_those_that_a_look_at_every_id_gives(
    messages: list[tuple[int, list[str]]],
) -> None:
    """From several senders, each with its own numbers, after any earlier messages."""
    senders = [Registry(), Registry(["q"]), Registry(["b", "a"])]
    reader, registry, plain = IdTranslator(), Registry(), Registry()
    for sender, ids in messages:
        spelled = encode_items(senders[sender].number(ids), senders[sender])
        numbers = reader.numbers([(spelled, sender)], registry)[0]
        assert numbers.tolist() == plain.number(ids).tolist()
    assert registry.ids == plain.ids


@given(st.lists(st.tuples(st.integers(0, 1), st.lists(IDS, unique=True)), max_size=8))
def test_shards_of_one_worker_number_items_as_they_would_alone(
    messages: list[tuple[int, list[str]]],
) -> None:
    """They share what the numbers of a sender mean, and each has numbers of its own."""
    sender, received = Registry(), ReceivedItems()
    readers = [IdTranslator(received), IdTranslator(received)]
    registries, plain = [Registry(), Registry(["b"])], [Registry(), Registry(["b"])]
    for shard, ids in messages:
        spelled = encode_items(sender.number(ids), sender)
        numbers = readers[shard].numbers([(spelled, 0)], registries[shard])[0]
        assert numbers.tolist() == plain[shard].number(ids).tolist()
    assert [one.ids for one in registries] == [one.ids for one in plain]


def test_an_id_is_looked_up_once() -> None:
    """A known text has a known number: it is not read again."""
    sender = Registry(["a", "b", "c"])
    reader, registry = IdTranslator(), Registry(["c"])
    assert reader.numbers([(encode_items(ints(0, 2), sender), 0)], registry)[0].tolist() == [1, 0]
    spelled = encode_items(ints(2, 1, 0), sender)
    blurred = EncodedItems(spelled.numbers, spelled.sizes, spelled.text.replace(b"a", b"?"))
    assert reader.numbers([(blurred, 0)], registry)[0].tolist() == [0, 2, 1]
    assert registry.ids == ["c", "a", "b"]


def test_items_are_spelled_by_machine_code() -> None:
    """And not by Python, as when compilers are switched off."""
    encode_items(ints(), Registry())
    kernel: Any = item_dictionary._encode_items
    assert kernel.dispatcher.signatures


@pytest.mark.parametrize("other", ["", "an older one"])
def test_numbers_of_another_generation_mean_nothing(other: str) -> None:
    """Messages in the log from before a rebuild have other numbers for the same items."""
    shard = Shard(
        0, 1, ListRule(top_n=3), "g", 0, Registry(), NormsAndRows.unpack(), AppliedOffsets()
    )

    def admitted(state_id: str, place: int, *ids: str) -> bool:
        registry = Registry(ids)
        acts = one_user(registry, [(item, 1.0, 1.0) for item in ids])
        revisions = revise([b""], acts, registry, rule(9))
        origin = Origin(state_id, 0, place)
        ((_, message),) = encode_deltas(revisions, registry, 1, origin)
        blocks = shard.admit(decode_delta(message))
        if blocks is not None:
            shard.apply(blocks, place)
        return blocks is not None

    assert not admitted(other, 0, "x", "y")
    assert admitted("g", 1, "a", "b")
    assert not admitted(other, 2, "x", "y")
    assert admitted("g", 3, "a", "b", "c")
    assert shard.registry.ids == ["x", "y", "a", "b", "c"]
    users = shard.norms.users[: len(shard.registry)]
    assert users.tolist() == [0, 0, 2, 2, 1]


def test_a_delta_that_changes_nothing_has_its_sequence_and_no_source() -> None:
    """A shard that applies it moves its position alone."""
    value = encode_noop("g", 7)
    delta = decode_delta(value)
    assert delta == Delta("g", -1, 7, EncodedItems(), [b""] * 11, -math.inf)
    registry = Registry(["a"])
    blocks = delta.blocks(registry, IdTranslator())
    assert (len(blocks.as_of), len(blocks.increments.item), registry.ids) == (0, 0, ["a"])
