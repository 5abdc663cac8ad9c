"""Checks of the environment: unknown variables, and a line for impossible values."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from dotenv import dotenv_values
from pydantic import ValidationError

from streamapp.errors import ConfigError

ENV_FILE = ".env"
"""Read in the working directory; a variable of the environment takes precedence."""
PREFIX = "STREAMAPP_"
TEST_PREFIX = "STREAMAPP_TEST_"
"""Prefix of the variables of the test backends, which are not settings."""

_URLS = {"broker_url", "redis_url"}
"""Settings that may hold credentials; those must not get into logs."""
_SCHEME = re.compile("[a-z]+://")
_QUERY_SECRET = re.compile("([?&][^=&]*(?:user|pass)[^=&]*=)[^&]*", re.IGNORECASE)


def refuse_unknown(environment: Iterable[str], names: Iterable[str]) -> None:
    """Refuse variables, also of the `.env` file, with the prefix of settings but none of `names`.

    Raises:
        ConfigError: there is such a variable; suggests the setting with the nearest name.
        OSError: the file cannot be read.
        UnicodeDecodeError: the file is not UTF-8.
    """
    known = [PREFIX + name.upper() for name in names]
    in_file = dotenv_values(ENV_FILE, encoding="utf-8")
    for where, given in (("", environment), (f"{ENV_FILE}: ", in_file)):
        for name in given:
            spelt = name.upper()  # settings are read in upper and lower case
            if not spelt.startswith(PREFIX) or spelt.startswith(TEST_PREFIX):
                continue
            if spelt not in known:
                near = get_close_matches(spelt, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigError(f"{where}{name}: there is no such setting{hint}")


def describe_failure(error: ValidationError | OSError | UnicodeDecodeError) -> str:
    """Return one line that says which values are impossible, and what is allowed."""
    if isinstance(error, OSError):
        return f"{ENV_FILE}: cannot be read: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return f"{ENV_FILE}: byte {error.start} is not UTF-8; save the file as UTF-8"
    lines = []
    for problem in error.errors():
        name = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "settings"
        value = f"={_shown(problem['loc'][0], problem['input'])}" if problem["loc"] else ""
        lines.append(f"{name}{value}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def _shown(name: int | str, value: object) -> str:
    """Return how a value is shown: a URL without credentials."""
    if name not in _URLS or not isinstance(value, str):
        return repr(value)
    before, at, address = value.rpartition("@")
    if at:
        scheme = _SCHEME.match(before)
        address = f"{scheme[0] if scheme else ''}...@{address}"
    return repr(_QUERY_SECRET.sub(r"\1...", address))
