"""Interactions: where each part of a cut goes, and the other counters of a partition."""

import numpy as np

from streamapp.core.histories.event_types import EventTypes
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    counted_type,
    decode_interactions,
    encode_idle,
    partition_of,
)

DTYPES = ("<i4", "<i8", "<i4", "<i4", "<i4", "<f8")


def columns(packed: list[bytes]) -> list[list[float]]:
    """Return the columns of a batch."""
    return [
        np.frombuffer(column, dtype).tolist() for column, dtype in zip(packed, DTYPES, strict=True)
    ]


def test_each_part_of_a_cut_goes_to_the_partition_of_its_user() -> None:
    """Dead letters go by the partition of their source; names are numbered in each message."""
    one, two = (next(f"u{n}" for n in range(99) if partition_of(f"u{n}", 3) == at) for at in (1, 2))
    builder = InteractionBatchBuilder()
    sources = [Source("clicks", 4, 20), Source("views", 5, 30)]
    builder.begin(sources[0])
    builder.add(11, one, "a", "click", 1.5)
    builder.add(12, two, "b", "view", 2.5)
    builder.skip(13, two, "scroll")
    builder.count_dead_letter(14)
    builder.begin(sources[1])
    builder.add(21, one, "b", "view", 3.5)
    builder.add(22, one, "a", "click", 4.5)
    builder.skip(23, one, "hover")
    builder.skip(24, one, "scroll")
    builder.count_dead_letter(25)
    builder.count_dead_letter(26)
    found = {number: decode_interactions(value) for number, value in builder.encode("g", 3).items()}
    assert list(found) == [1, 2]
    first, second = found[1], found[2]
    for batch in (first, second):
        assert batch.state_id == "g"
        assert batch.sources == sources
        assert batch.idle == []
    assert (first.users, first.items, first.types) == ([one], ["a", "b"], ["click", "view"])
    assert columns(first.columns) == [
        [0, 1, 1], [11, 21, 22], [0, 0, 0], [0, 1, 0], [0, 1, 0], [1.5, 3.5, 4.5],
    ]  # fmt: skip
    assert (first.dead, first.skipped) == ([(0, 14)], [(1, 23, "hover"), (1, 24, "scroll")])
    assert (second.users, second.items, second.types) == ([two], ["b"], ["view"])
    assert columns(second.columns) == [[0], [12], [0], [0], [0], [2.5]]
    assert (second.dead, second.skipped) == ([(1, 25), (1, 26)], [(0, 13, "scroll")])


def test_skipped_events_and_dead_letters_of_a_batch_count_once() -> None:
    """A batch that comes twice, or in part a second time, adds only what is new."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, 30))
    for offset, name in ((11, "scroll"), (12, "hover"), (21, "scroll"), (22, "scroll")):
        builder.skip(offset, "u", name)
    for offset in (13, 23, 24):
        builder.count_dead_letter(offset)
    (batch,) = map(decode_interactions, builder.encode("g", 1).values())
    for applied_to, skipped, dead in (
        (0, {"scroll": 3, "hover": 1}, 3),
        (20, {"scroll": 2}, 2),
        (22, {"scroll": 1}, 2),
        (30, {}, 0),
    ):
        applied = AppliedOffsets({batch.sources[0].name: applied_to})
        news = admit(batch, applied, Registry(), EventTypes.of({}))
        assert (news.skipped, news.dead) == (skipped, dead)
        assert applied.as_dict() == {batch.sources[0].name: 30}


def test_a_batch_that_forgets_users_has_nothing_else() -> None:
    """Each user with the newest time of the history."""
    (message,) = encode_idle("g", [("u", 1.5), ("v", 2.5)])
    batch = decode_interactions(message)
    assert batch.idle == [("u", 1.5), ("v", 2.5)]
    assert columns(batch.columns) == [[]] * 6
    nothing = (batch.sources, batch.users, batch.items, batch.types, batch.dead, batch.skipped)
    assert nothing == ([],) * 6


def test_types_that_nobody_knows_have_fields_of_their_own_up_to_a_hundred() -> None:
    """Trackers may put any text there; counts under its name stay."""
    fields = set[str]()
    for number in range(250):
        fields.add(counted_type(f"type-{number}", fields))
    assert len(fields) == 101
    assert counted_type("type-99", fields) == "type-99"
    assert counted_type("type-100", fields) == "(other)"


def test_a_type_that_is_long_has_no_field_of_its_own() -> None:
    """The head of a partition is written with every step."""
    assert counted_type("x" * 100, set()) == "x" * 100
    assert counted_type("x" * 101, set()) == "(other)"
