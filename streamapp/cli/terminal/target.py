"""The file that a command writes at its end."""

import os
from pathlib import Path

from streamapp.errors import ConfigError


def check_target(file: Path) -> None:
    """Refuse a file that cannot be written, before the work; an existing file stays as it is.

    Raises:
        ConfigError: it is a folder, has no folder, or may not be written.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{file}: there is no folder {file.parent}")
    if file.is_dir():
        raise ConfigError(f"{file}: is a folder; name a file in it")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise ConfigError(f"{file}: may not be written; choose another file")


def write_target(file: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        ConfigError: it cannot be written, such as on a full disk.
    """
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None
