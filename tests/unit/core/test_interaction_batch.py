"""Interactions: what a partition counts beside them."""

from streamapp.core.messages.interaction_batch import SKIPPED, skipped_field


def test_types_that_nobody_knows_have_fields_of_their_own_up_to_a_hundred() -> None:
    """Trackers may put anything there; what is counted under its name stays so."""
    fields = {"applied", "dead"}
    for number in range(250):
        fields.add(skipped_field(f"type-{number}", fields))
    assert len([name for name in fields if name.startswith(SKIPPED)]) == 101
    assert skipped_field("type-99", fields) == f"{SKIPPED}type-99"
    assert skipped_field("type-100", fields) == f"{SKIPPED}(other)"


def test_a_type_that_is_long_has_no_field_of_its_own() -> None:
    """The head of a partition is written with every step."""
    assert skipped_field("x" * 100, set()) == SKIPPED + "x" * 100
    assert skipped_field("x" * 101, set()) == f"{SKIPPED}(other)"
