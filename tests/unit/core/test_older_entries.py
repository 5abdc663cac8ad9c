"""Histories that an older version stored: ratings without the types behind them."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.histories.decay import Decay
from streamapp.core.histories.event_types import NO_ORDER, REFUND, REMOVE_FROM_CART
from streamapp.core.histories.history import EVERY_ITEM, Interactions, revise
from streamapp.core.histories.marks import HEADER, newest_ts, order_number
from streamapp.core.histories.older_entries import DECAYED_ENTRY, ENTRY
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import admit, decode_interactions
from tests.support.histories import TYPES, USERS, one_user, read, rule

REGISTRY = Registry(["a", "b", "c"])
BUY, CART, CLICK = 5.0, 3.0, 1.0
OLD = np.array([(0, BUY, 10.0), (1, CART, 20.0), (2, CLICK, 30.0)], ENTRY).tobytes()
HOUR = Decay(3_600.0)


def taking_back(item: int, kind: str, order: str = "") -> Interactions:
    """Return one event of one user that takes back."""
    return Interactions(
        np.array([0, 1]),
        np.array([item], np.int32),
        TYPES.numbers([kind]),
        np.array([40.0]),
        np.array([order_number(order) if order else NO_ORDER]),
    )


def after(history: bytes, event: Interactions) -> dict[str, float]:
    """Return the ratings after an event."""
    (stored,) = revise([history], event, REGISTRY, rule(9)).stored
    return {item: rating for item, (_, rating, _) in read(stored, REGISTRY, rule(9)).items()}


def test_a_history_of_an_older_version_has_the_same_entries_and_is_stored_in_the_new_form() -> None:
    """The first event of the user writes it; nothing that it does not touch changes."""
    assert read(OLD, REGISTRY, rule(9)) == {"a": (5, 5, 10), "b": (3, 3, 20), "c": (1, 1, 30)}
    assert newest_ts(OLD) == 30
    made = revise([OLD], one_user(REGISTRY, [("c", CART, 40.0)]), REGISTRY, rule(9))
    assert made.before.tolist() == [5, 3, 1]
    assert made.after.tolist() == [5, 3, 3]
    assert made.stored[0].startswith(HEADER)
    assert newest_ts(made.stored[0]) == 40


@pytest.mark.parametrize("order", ["", "o1"])
def test_a_purchase_of_an_older_version_is_refunded_by_its_item_whatever_the_order(
    order: str,
) -> None:
    """The order is not known, so the refund of a whole order does not find it."""
    assert after(OLD, taking_back(0, REFUND, order)) == {"b": 3, "c": 1}
    assert after(OLD, taking_back(1, REFUND, order)) == {"a": 5, "b": 3, "c": 1}
    assert after(OLD, taking_back(EVERY_ITEM, REFUND, "o1")) == {"a": 5, "b": 3, "c": 1}
    assert after(OLD, taking_back(1, REMOVE_FROM_CART)) == {"a": 5, "c": 1}


def test_of_two_roles_with_one_weight_the_bought_one_is_a_purchase() -> None:
    """A viewed item may have been clicked, so nothing takes it back."""
    registry, by = RoleRegistry(["v:a", "b:a"]), rule(9, USERS)
    old = np.array([(0, 1.0, 1.0), (1, 1.0, 2.0)], ENTRY).tobytes()
    for item, kind, left in ((1, REFUND, {"v:a"}), (0, REMOVE_FROM_CART, {"v:a", "b:a"})):
        (stored,) = revise([old], taking_back(item, kind), registry, by).stored
        assert set(read(stored, registry, by)) == left


seconds = st.integers(0, 30 * 86_400_000).map(lambda number: 1.7e9 + number / 1_000)


@given(
    st.lists(st.tuples(st.sampled_from([CLICK, CART, BUY]), seconds), min_size=1, max_size=5),
    st.sampled_from([3_600.0, 86_400.0, 31_557_600.0]),
)
def test_a_level_of_an_older_version_is_kept_to_the_last_bit(
    acts: list[tuple[float, float]], half_life_s: float
) -> None:
    """Shards hold it, so another one would leave a difference behind."""
    decay = Decay(half_life_s)
    weights, times = np.array([w for w, _ in acts]), np.array([ts for _, ts in acts])
    level, newest = decay.levels(weights, times).max(), times.max()
    old = np.array([(0, level, newest, weights.max())], DECAYED_ENTRY).tobytes()
    by = rule(9, decay=decay)
    assert newest_ts(old, decay) == newest
    # An event of another item stores the history in the new form.
    made = revise([old], one_user(REGISTRY, [("b", CLICK, 1.6e9)]), REGISTRY, by)
    assert made.before.tolist() == [level, 0]
    assert read(made.stored[0], REGISTRY, by)["a"] == (weights.max(), level, newest)


def test_a_message_of_an_older_version_has_no_orders() -> None:
    """It ends before them; so does one whose interactions name none."""
    columns = [np.array([0], one).tobytes() for one in ("<i4", "<i8", "<i4", "<i4", "<i4")]
    value = [
        "g", [["clicks", 0, 1]], ["u"], ["a"], ["purchase"],
        [*columns, np.array([7.0]).tobytes()], [], [], [],
    ]  # fmt: skip
    batch = decode_interactions(msgspec.msgpack.encode(value))
    news = admit(batch, AppliedOffsets(), Registry(), TYPES)
    assert news.users == ["u"]
    assert news.interactions.order.tolist() == [NO_ORDER]
    assert news.interactions.type.tolist() == TYPES.numbers(["purchase"]).tolist()
