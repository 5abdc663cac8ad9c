"""Where a feed is: a file, or an address from which it is fetched."""

import gzip
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from streamapp.errors import ConfigError, StreamappError
from streamapp.eventlog.readable import readable
from streamapp.feeds.fetching.download import MAX_BYTES, download, shown_address

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_BLOCK = 1_048_576


def shown_feed(where: str) -> str:
    """Return where a feed is as messages show it: an address without what may be secret."""
    return shown_address(where) if _SCHEME.match(where) else where


@contextmanager
def local_file(where: str, tell: Callable[[int, int | None], None]) -> Iterator[Path]:
    """Yield the file of a feed; one that was fetched is there until the end of the block.

    Args:
        where: The name of a file, or an address with http or https.
        tell: Called with how many bytes were fetched, and how many come if that is known.

    Raises:
        ConfigError: there is no such file, its content cannot be read by the block, or the address
            has another scheme.
        StreamappError: the feed cannot be fetched.
    """
    scheme = _SCHEME.match(where)
    if scheme is None:
        path = Path(where)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ConfigError(f"{path}: a file on a disk is needed, because it is opened twice")
        with readable(path):
            # A file that is not there is known before other work.
            path.open("rb").close()
            yield path
        return
    if scheme[1].lower() not in {"http", "https"}:
        raise ConfigError(f"{scheme[0]}: a feed is fetched with http or https only")
    with tempfile.TemporaryDirectory(prefix="streamapp-feed-") as folder:
        path = Path(folder, "feed")
        with path.open("wb") as target:
            download(where, target, tell)
        try:
            with readable(path):
                yield _unpacked(path)
        except StreamappError as error:
            # People know the address, not the file beside it.
            message = re.sub(rf"{re.escape(str(path))}(\.plain)?", shown_address(where), str(error))
            raise type(error)(message) from None


def _unpacked(path: Path) -> Path:
    """Return a fetched file without its compression, which may blow up only to the limit."""
    with path.open("rb") as packed:
        if packed.read(2) != b"\x1f\x8b":
            return path
    plain, done = path.with_suffix(".plain"), 0
    with cast("BinaryIO", gzip.open(path, "rb")) as source, plain.open("wb") as target:
        while block := source.read(_BLOCK):
            done += len(block)
            if done > MAX_BYTES:
                raise StreamappError(f"{path}: the unpacked feed has more than {MAX_BYTES:,} bytes")
            target.write(block)
    return plain
