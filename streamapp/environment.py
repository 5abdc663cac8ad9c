"""Hallway. The environment: which variables are settings, and what is wrong with them."""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

from streamapp.errors import ConfigError

PREFIX = "STREAMAPP_"
TEST_PREFIX = "STREAMAPP_TEST_"
"""Variables of the test lanes, which are no settings."""


def refuse_unknown(environment: Iterable[str], names: Iterable[str]) -> None:
    """Refuse variables that look like settings and are none of `names`.

    Raises:
        ConfigError: there is one; says which setting is called much like it.
    """
    known = [PREFIX + name.upper() for name in names]
    for name in environment:
        if name.startswith(PREFIX) and name not in known and not name.startswith(TEST_PREFIX):
            near = get_close_matches(name, known, 1)
            raise ConfigError(
                f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
            )


def readable(error: ValidationError | UnicodeDecodeError) -> str:
    """Return in one line which values are impossible, and what is allowed."""
    if isinstance(error, UnicodeDecodeError):
        return f".env: byte {error.start} is not UTF-8; save the file as UTF-8"
    lines = []
    for problem in error.errors():
        name = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "settings"
        value = "" if not problem["loc"] else f"={problem['input']!r}"
        lines.append(f"{name}{value}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
