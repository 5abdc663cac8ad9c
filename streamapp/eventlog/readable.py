"""Turns errors of reading a file into one line."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamapp.errors import ConfigError
from streamapp.eventlog.refusing import refuse_encoding


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of reading a file into one line.

    Raises:
        ConfigError: the body could not read the file; says why, and in which line it can.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        refuse_encoding(path, error)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: the file cannot be read: {reason}") from None
