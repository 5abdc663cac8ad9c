"""The file that a command writes at its end."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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
    if not _is_written_in_place(file) and not os.access(file.resolve().parent, os.W_OK):
        raise ConfigError(f"{file}: its folder may not be written; choose another folder")


def write_target(file: Path, content: bytes) -> None:
    """Write a file, in place of the one there is only when all of it is on the disk.

    Raises:
        ConfigError: it cannot be written, such as on a full disk; an existing file is as it was.
    """
    with open_target(file) as target:
        target.write(content)


@contextmanager
def open_target(file: Path) -> Iterator[BinaryIO]:
    """Yield a file beside `file`, and rename it to `file` when the block has ended well.

    A link stays: the file that it names is replaced. A file that exists passes on its mode. A
    device and a pipe are written in place.

    Raises:
        ConfigError: it cannot be written, such as on a full disk; an existing file is as it was.
    """
    try:
        if _is_written_in_place(file):
            with file.open("wb") as target:
                yield target
            return
        whole = file.resolve()
        beside = whole.with_name(f".streamapp-{secrets.token_hex(8)}.part")
        try:
            with beside.open("xb") as target:
                if whole.exists():
                    beside.chmod(whole.stat().st_mode & 0o777)
                yield target
                target.flush()
                os.fsync(target.fileno())
            beside.replace(whole)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror or error}") from None


def _is_written_in_place(file: Path) -> bool:
    return file.exists() and not file.is_file()
