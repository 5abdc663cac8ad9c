"""Keys of lists and of their tombstones: on a cluster, both lie in one hash slot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from streamapp.store.slot.keys import list_name, tombstone_key

_IDS = st.text(st.sampled_from("{}ab:é"), max_size=8) | st.text(max_size=20)
_KINDS = st.sampled_from(["item", "user", "trending", "bought_together"])


def slot(key: str) -> int:
    """Return the hash slot of a key."""
    return int(key_slot(key.encode()))


@given(_KINDS, _IDS)
def test_a_list_and_its_tombstone_share_a_slot_whatever_the_id(kind: str, name: str) -> None:
    """A call that names keys of two slots is refused, and ends every worker."""
    key = "recs:v1:" + list_name(kind, name)
    gone = tombstone_key("streamapp:", key)
    assert slot(gone) == slot(key)
    assert gone.endswith(key)


@pytest.mark.parametrize("name", ["a}b", "a{}b", "{}", "}{", "}", "{}{x}", "{{}", "a}{", "}}}{{{"])
def test_braces_that_end_no_tag_keep_a_tombstone_beside_its_list(name: str) -> None:
    """Redis ends a tag at the first closing brace."""
    key = f"recs:v1:item:{name}"
    assert slot(tombstone_key("streamapp:", key)) == slot(key)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("a", "recs:v1:item:a"),
        ("a{b", "recs:v1:item:a{b"),
        ("{b}", "b"),
        ("a{b}c", "b"),
        ("a{{b}c", "{b"),
        ("a}{b}", "b"),
    ],
)
def test_tombstones_keep_their_names(name: str, tag: str) -> None:
    """A worker of an earlier version finds them."""
    key = f"recs:v1:item:{name}"
    assert tombstone_key("streamapp:", key) == f"streamapp:gone:{{{tag}}}:{key}"
