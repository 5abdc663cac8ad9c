"""Mutations of Lua: at code, never in comments or strings."""

import pytest

from tests.mutants.lua_points import lua_points


def mutated(source: str) -> list[str]:
    """Return every mutant of a script."""
    points = lua_points("a.lua", source)
    return [change.apply() for point in points for change in point.changes]


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("return a == b", ["return a ~= b"]),
        ("return a ~= b", ["return a == b"]),
        ("return a < b", ["return a <= b", "return a >= b"]),
        ("return a <= b", ["return a < b", "return a > b"]),
        ("return a > b", ["return a >= b", "return a <= b"]),
        ("return a >= b", ["return a > b", "return a < b"]),
        ("return a + b", ["return a - b"]),
        ("return a - b", ["return a + b"]),
        ("return a * b", ["return a / b"]),
        ("return #a - b", ["return #a + b"]),
        ("return f(a) - b", ["return f(a) + b"]),
        ("return a[i] - b", ["return a[i] + b"]),
        ("return 41", ["return 42", "return 40"]),
        ("return -1", ["return -2", "return -0"]),
        ("return a and b or c", ["return a or b or c", "return a and b and c"]),
        ("return true", ["return false"]),
        ("return not a", ["return  a"]),
    ],
)
def test_each_sign_word_and_number_has_its_mutants(source: str, mutants: list[str]) -> None:
    """Comparisons get looser and opposite, numbers one more and one less."""
    assert mutated(source) == mutants


@pytest.mark.parametrize(
    "source",
    [
        "#!lua",
        "-- Returns -1 if a == b and not c.",
        "return 'a == 1 -- and'",
        'return "it\\"s 1"',
        "local order2 = struct.unpack",
        "for name in pairs(all) do",
        "return a.or1",
    ],
)
def test_comments_strings_and_names_stay(source: str) -> None:
    """Nothing that is no code is mutated."""
    assert mutated(source) == []


@pytest.mark.parametrize(
    "statement",
    [
        "redis.call('HSET', KEYS, ARGV)",
        "kept = key",
        "found[n] = key",
        "if stale then return end",
        "return redis.error_reply('ERR no')",
    ],
)
def test_a_statement_of_one_line_is_removed_and_its_line_stays(statement: str) -> None:
    """So line numbers are those of the original."""
    assert mutated(f"a()\n  {statement}\nb()") == ["a()\n  \nb()"]


@pytest.mark.parametrize(
    "line", ["local a = b", "return a", "if a then", "for key in pairs(all) do", "end"]
)
def test_what_the_rest_of_a_script_needs_to_be_read_is_not_removed(line: str) -> None:
    """A script that the server cannot read is killed by any test."""
    assert mutated(line) == []


def test_places_have_lines_and_columns_in_order() -> None:
    """The sampler draws places."""
    points = lua_points("a.lua", "local a = b\nif a == 1 then return 2 end")
    assert [(point.line, point.column) for point in points] == [(2, 0), (2, 5), (2, 8), (2, 22)]
