"""Opens a log as text: compressed or not, in UTF-8 or UTF-16."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from streamapp.errors import ConfigError

_FOREIGN = {
    b"\x1f\x8b": "is compressed with gzip, more than its name says; decompress it once",
    b"PK\x03\x04": "is a zip archive or a workbook; save it as CSV in UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; decompress it, or use gzip",
    b"PAR1": "is a Parquet file; write it as CSV or JSON lines",
}
"""First bytes of what is no text, and what to do about it."""


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[TextIO]:
    """Yield a log as text with its line ends as they are.

    A byte order mark says UTF-8 or UTF-16. Without one, UTF-16 is recognised by the zero bytes of
    its first two characters; everything else is read as UTF-8. `encoding` names another one.

    Raises:
        ConfigError: the file is of another kind; says which.
        OSError: the file cannot be opened or read.
    """
    with open_bytes(path) as raw:
        start = cast("io.BufferedReader", raw).peek(4)[:4]
        for magic, advice in _FOREIGN.items():
            if start.startswith(magic):
                raise ConfigError(f"{path}: the content {advice}")
        with io.TextIOWrapper(raw, encoding or _encoding(start), newline="") as text:
            yield text


def open_bytes(path: Path) -> BinaryIO:
    """Open a log, and decompress it where its name ends in `.gz`."""
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _encoding(start: bytes) -> str:
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    zeros = "".join("x" if byte else "0" for byte in start)
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros, "utf-8-sig")
