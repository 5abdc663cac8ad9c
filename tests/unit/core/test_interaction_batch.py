"""Interactions: the other counters of a partition."""

from streamapp.core.messages.interaction_batch import counted_type


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
