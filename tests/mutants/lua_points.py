"""Where Lua scripts can be mutated: comparisons, signs, numbers, logic, and whole statements.

There is no kept tool for this, so the few mutations are written here. Comments and strings stay.
"""

import re
from collections.abc import Iterator

from tests.mutants.mutant import Change, Point

_TOKEN = re.compile(
    r"""
    (?P<skip>--[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\#!lua)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<sign>==|~=|<=|>=|\.\.|[-+*/%<>=\#(){}\[\],;])
    """,
    re.VERBOSE,
)

_SIGNS = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
}
_WORDS = {
    "and": ("or",),
    "or": ("and",),
    "true": ("false",),
    "false": ("true",),
    "not": ("",),
}
_OPERAND_ENDS = re.compile(r"[\w)\]}'\"]$")
_BEFORE_OPERAND = ("return", "and", "or", "not", "then", "do", "else")

_STATEMENT = re.compile(
    r"""
    redis\.call\(.*\)                    # a write, or a read that checks a type
    | (?!local\b|for\b|if\b|return\b|--)[^'"=~<>]+\ =\ .*  # an assignment to what is declared above
    | if\b.*\bthen\b.*\bend              # a guard of one line
    | return\ redis\.error_reply\(.*\)
    """,
    re.VERBOSE,
)


def lua_points(path: str, source: str) -> list[Point]:
    """Return the places of a script at which it can be mutated, in order.

    A number is raised and lowered by one; a removed statement leaves an empty line.
    """
    points = [*_token_points(path, source), *_statement_points(path, source)]
    return sorted(points, key=lambda point: (point.line, point.column))


def _token_points(path: str, source: str) -> Iterator[Point]:
    for token in _TOKEN.finditer(source):
        words = _replacements(source, token)
        if words:
            line = source.count("\n", 0, token.start()) + 1
            column = token.start() - source.rfind("\n", 0, token.start()) - 1
            changes = tuple(
                _change(source, token.start(), token.end(), word, f"{token[0]} -> {word or '-'}")
                for word in words
            )
            yield Point(path, line, column, changes)


def _replacements(source: str, token: re.Match[str]) -> tuple[str, ...]:
    text = token[0]
    if token["number"] and "." not in text:
        return str(int(text) + 1), str(int(text) - 1)
    if token["name"]:
        return _WORDS.get(text, ())
    if token["sign"]:
        return () if text == "-" and _is_unary(source, token.start()) else _SIGNS.get(text, ())
    return ()


def _is_unary(source: str, at: int) -> bool:
    before = source[:at].rstrip()
    return not _OPERAND_ENDS.search(before) or before.split()[-1] in _BEFORE_OPERAND


def _statement_points(path: str, source: str) -> Iterator[Point]:
    at = 0
    for number, line in enumerate(source.splitlines(keepends=True), 1):
        text = line.strip()
        if _STATEMENT.fullmatch(text):
            start = at + line.index(text)
            change = _change(source, start, start + len(text), "", "statement removed")
            yield Point(path, number, line.index(text), (change,))
        at += len(line)


def _change(source: str, start: int, end: int, word: str, what: str) -> Change:
    return Change(what, lambda: source[:start] + word + source[end:])
