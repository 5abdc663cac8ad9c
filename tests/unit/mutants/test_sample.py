"""The sample of mutants: by the seed alone, and each place once."""

from tests.mutants.lua_points import lua_points
from tests.mutants.mutant import Mutant, difference
from tests.mutants.sample import drawn

SOURCE = "\n".join(f"local a{line} = {line} + b" for line in range(100, 130))


def sample(seed: int, count: int = 10, *, without: str = "no mutant") -> list[Mutant]:
    """Draw mutants of `SOURCE`, but none whose lines hold a text."""
    points = lua_points("a.lua", SOURCE)
    return drawn(
        "lua", points, {"a.lua": SOURCE}, count, seed, lambda mutant: without in mutant.after
    )


def test_a_seed_draws_the_same_mutants_again() -> None:
    """A survivor can be looked at again."""
    assert sample(1) == sample(1)


def test_another_seed_draws_others() -> None:
    """Seeds look at different lines."""
    assert sample(1) != sample(2)


def test_each_place_is_drawn_once_at_most() -> None:
    """However many mutations are possible there: 30 numbers and 30 signs."""
    mutants = sample(1, 1000)
    assert len({mutant.text for mutant in mutants}) == len(mutants) == 60


def test_what_is_skipped_is_replaced() -> None:
    """By another mutation there, or by another place."""
    mutants = sample(1, 30, without="-")
    assert len(mutants) == 30
    assert not any("-" in mutant.after for mutant in mutants)


def test_a_mutant_knows_its_line_and_scope() -> None:
    """For people who read the report."""
    for mutant in sample(1):
        assert mutant.before == SOURCE.splitlines()[mutant.line - 1]
        assert mutant.after == mutant.text.splitlines()[mutant.line - 1]
        assert mutant.scope == "a"


def test_a_difference_is_the_lines_that_changed() -> None:
    """Also where there are fewer of them."""
    assert difference("a\nb\nc", "a\nx\nc") == (2, "b", "x")
    assert difference("a\nb\nc", "a\nc") == (2, "b", "")
    assert difference("a\na\na", "a\na") == (3, "a", "")
