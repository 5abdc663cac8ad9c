"""Events that merge users: what each one says, in every kind of lists, and what is refused."""

from typing import Any

import pytest

from streamapp.core.events.interaction_sink import NO_ITEM
from streamapp.core.histories.departures import KEPT, Departure, Departures
from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    decode_interactions,
    partition_of,
)
from tests.unit.core.test_taking_back_events import read, taken

MERGE = {"type": "merge", "user_id": "u", "from": "anon"}


def test_a_merge_names_who_leaves_and_who_takes_over() -> None:
    """In each kind by its own names; the time is that of nothing."""
    found, refusals = read(MERGE, {**MERGE, "ts": 5, "from": 7, "item_id": []})
    assert not refusals
    assert found["item"].taken == [("anon", "u", "merge", NO_ORDER), ("7", "u", "merge", NO_ORDER)]
    assert found[BOUGHT_TOGETHER].taken[0] == ("u:anon", "u:u", "merge", NO_ORDER)
    assert found[BOUGHT_AFTER_VIEW].taken[0] == ("anon", "u", "merge", NO_ORDER)
    assert set(found["item"].times) == {-float("inf")}


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "merge", "user_id": "u"}, "missing_id"),
        ({**MERGE, "from": ""}, "missing_id"),
        ({**MERGE, "from": None}, "missing_id"),
        ({**MERGE, "from": []}, "invalid_id"),
        ({**MERGE, "from": 1.5}, "invalid_id"),
        ({**MERGE, "from": "x" * 513}, "id_too_long"),
        ({**MERGE, "user_id": "x" * 513}, "id_too_long"),
        ({"type": "merge", "from": "anon"}, "missing_id"),
    ],
)
def test_a_merge_without_two_ids_is_refused(event: dict[str, Any], code: str) -> None:
    """The code is that of any other id."""
    found, refusals = read(event, key_mismatch="accept")
    assert [one.code for one in refusals] == [code]
    assert not any(one.taken for one in found.values())


def test_an_integer_of_any_size_is_read_exactly() -> None:
    """As every other id."""
    assert taken({**MERGE, "from": 2**70}) == [(str(2**70), "u", "merge", NO_ORDER)]


@pytest.mark.parametrize(("key", "codes"), [
    (b"u", []), (b"anon", []), (b"v", ["key_mismatch"]), (None, ["key_mismatch"]),
])  # fmt: skip
def test_the_key_is_either_user_where_keys_are_checked(key: bytes | None, codes: list[str]) -> None:
    """That of the user who leaves keeps the event behind the events of that user."""
    assert [one.code for one in read(MERGE, key=key, key_mismatch="refuse")[1]] == codes


@pytest.mark.parametrize("event", [{**MERGE, "from": "u"}, {**MERGE, "from": "0"},
                                   {**MERGE, "user_id": "0"}])  # fmt: skip
def test_who_is_merged_into_themselves_or_with_nobody_stays(event: dict[str, Any]) -> None:
    """Trackers that do not know a user must not take a history away."""
    found, refusals = read(event, ignored_users=("0",), key_mismatch="accept")
    assert not refusals
    assert not any(one.taken for one in found.values())


def test_a_merge_goes_to_the_partition_of_who_leaves() -> None:
    """A batch says of each departure who takes over, when it was logged, and its place."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, 9))
    users = [f"user {number}" for number in range(20)]
    for user in users:
        builder.add(3, user, "a", "click", 5.0)
        builder.leave(4, user, "heir", 77)
        builder.leave(5, user, "", 78)
    before = builder.most_bytes()
    found = {number: decode_interactions(value) for number, value in builder.encode("g", 4).items()}
    assert sum(len(value) for value in builder.encode("g", 4).values()) < before
    places = []
    for number, batch in found.items():
        own = [user for user in users if partition_of(user, 4) == number]
        assert sorted(batch.users) == sorted(own)
        assert [row for row, *_ in batch.leaves] == [row for row in range(3 * len(own)) if row % 3]
        assert {leave[1:3] for leave in batch.leaves} == {("heir", 77), ("", 78)}
        places += [leave[3] for leave in batch.leaves]
        assert set(batch.items) == {"a", NO_ITEM}
    # Each record here has one departure, or several that came one after the other.
    assert set(places) == {0}


def test_departures_of_one_record_are_in_order() -> None:
    """They share an offset, so each has a place; another offset starts again."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, 9))
    builder.leave(4, "a", "b", 77)
    builder.leave(4, "b", "c", 77)
    builder.leave(5, "c", "d", 77)
    (batch,) = map(decode_interactions, builder.encode("g", 1).values())
    assert batch.leaves == [(0, "b", 77, 0), (1, "c", 77, 1), (2, "d", 77, 0)]


def test_segment_calls_a_merge_alias() -> None:
    """Without a previous id it says nothing."""
    call = {"type": "alias", "userId": "u", "messageId": "m"}
    found, refusals = read({**call, "previousId": "anon"}, call, form="segment")
    assert not refusals
    assert found["item"].taken == [("anon", "u", "merge", NO_ORDER)]
    assert found["item"].skipped == ["alias"]


def departure(source: str, offset: int, place: int = 0, logged_ms: int = 5) -> Departure:
    """Return a departure of a user who is forgotten."""
    return Departure("", source, offset, place, logged_ms)


@pytest.mark.parametrize(("first", "second", "follows"), [
    (departure("c/0", 3), departure("c/0", 4), True),
    (departure("c/0", 4), departure("c/0", 3, logged_ms=9), False),
    (departure("c/0", 3), departure("c/0", 3, 1), True),
    (departure("c/0", 3), departure("c/0", 3), False),
    (departure("c/0", 3), departure("c/1", 1, logged_ms=6), True),
    (departure("c/0", 3), departure("c/1", 1), True),
    (departure("c/0", 3), departure("c/1", 9, logged_ms=4), False),
    (departure("c/0", 3, logged_ms=-1), departure("c/1", 9), False),
])  # fmt: skip
def test_offsets_decide_within_a_partition_and_timestamps_between_two(
    first: Departure, second: Departure, follows: bool
) -> None:
    """A time that is not known decides nothing."""
    assert second.follows(first) is follows


def test_a_partition_remembers_its_newest_departures() -> None:
    """The first one after the merge counts; those that are too old are not known any more."""
    departures = Departures()
    departures.note("u", departure("c/0", 5))
    departures.note("u", departure("c/0", 7))
    departures.note("v", departure("c/0", 6))
    again = Departures(departures.encode())
    assert again.next_of("u", departure("c/0", 3)) == departure("c/0", 5)
    assert again.next_of("u", departure("c/0", 5)) == departure("c/0", 7)
    assert again.next_of("u", departure("c/0", 7)) is None
    for number in range(KEPT - 2):
        again.note(f"user {number}", departure("c/0", 9))
    assert again.next_of("u", departure("c/0", 3)) == departure("c/0", 7)
