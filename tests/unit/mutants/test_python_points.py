"""Mutations of Python: what Cosmic Ray finds, without mutations that no test can notice."""

import pytest

pytest.importorskip("cosmic_ray", reason="`make mutants` installs it")

from tests.mutants.python_points import python_points


def mutated(source: str) -> set[str]:
    """Return every mutant of a module."""
    points = python_points("a.py", source)
    return {change.apply() for point in points for change in point.changes}


@pytest.mark.parametrize(
    ("source", "mutant"),
    [
        ("a = b + c", "a = b - c"),
        ("a = b < c", "a = b <= c"),
        ("a = b is None", "a = b is not None"),
        ("a = 1", "a = 2"),
        ("a = True", "a = False"),
        ("a = b and c", "a = b or c"),
        ("if a: b()", "if not a: b()"),
        ("for a in b: c()", "for a in []: c()"),
        ("while a: break", "while a: continue"),
        ("@property\ndef a(): pass", "def a(): pass"),
        ("raise A(1)", "raise A( 2)"),
    ],
)
def test_code_is_mutated(source: str, mutant: str) -> None:
    """Each by an operator of Cosmic Ray; a decorated function, too."""
    assert mutant in mutated(source)
    decorated = f"@compiled\ndef f():\n    {source}" if "\n" not in source else source
    assert mutated(decorated)


@pytest.mark.parametrize(
    "source",
    [
        '"""1 + 1"""',
        "a: int | None",
        "def f(a: int | None = b) -> int | None: pass",
        "Value: TypeAlias = int | float",
        "Value = int | float",
        'raise A(f"{b + 1} {c}")',
        'logger.warning("a %d", b + 1)',
        "assert a < b",
        "zip(a, b, strict=True)",
        "@compiled\ndef f(a, *, b): pass",
        "f(**a, **b)",
        "a = {**b}",
    ],
)
def test_a_mutation_that_no_test_can_notice_is_left_out(source: str) -> None:
    """By rule: annotations, messages, assertions, layout."""
    assert mutated(source) == set()


@pytest.mark.parametrize("errors", ["A", "a.B", "(A, C)", "(a.B, C)", "(a.B, a.C)"])
def test_every_mutation_of_a_handler_can_be_made_or_is_the_source(errors: str) -> None:
    """The sampler draws another mutation instead of the source."""
    source = f"try: d()\nexcept {errors}: d()\n"
    assert mutated(source)


def test_options_of_decorators_are_left_out() -> None:
    """They choose the layout; without the decorator itself a class is another one."""
    assert mutated("@dataclass(frozen=True)\nclass A: pass") == {"class A: pass"}


def test_equal_numbers_need_not_be_one_object() -> None:
    """Whether they are is an accident."""
    assert not any("is" in mutant for mutant in mutated("a = b == c"))


def test_a_place_has_all_mutations_of_it() -> None:
    """The sampler draws places, and then one of these."""
    (point,) = python_points("a.py", "a = b < c")
    assert (point.line, point.column, len(point.changes)) == (1, 6, 5)
