"""Refuses a line of a log, by its number."""

from pathlib import Path
from typing import NoReturn

from streamapp.errors import ConfigError
from streamapp.eventlog.text import open_bytes


def refuse(path: Path, line: int, reason: str) -> NoReturn:
    """Raise the error that names a line, from 1, and what is wrong with it."""
    raise ConfigError(f"{path}, line {line}: {reason}")


def refuse_encoding(path: Path, error: UnicodeDecodeError) -> NoReturn:
    """Raise the error of a log that is not in its encoding; names the first such line of UTF-8."""
    if error.encoding != "utf-8":
        raise ConfigError(f"{path}: not {error.encoding}: {error.reason}") from None
    refuse(
        path,
        _first_not_utf8(path),
        "not UTF-8, perhaps Windows-1252 or Latin-1; save the file as UTF-8",
    )


def _first_not_utf8(path: Path) -> int:
    with open_bytes(path) as lines:
        for line, content in enumerate(lines, 1):
            try:
                content.decode()
            except UnicodeDecodeError:
                return line
    return 1
