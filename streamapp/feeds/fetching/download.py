"""Fetches a feed from a web server into a file, in bounded time and size."""

import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from streamapp.errors import ConfigError, StreamappError

MAX_BYTES = 2_000_000_000
"""Largest feed, as it comes and without compression."""

_PATIENCE_S = 30.0
"""Longest wait for the next bytes."""

_MAX_S = 600.0
"""Longest time for all of them."""

_BLOCK = 262_144

# Without those for files and FTP, which a redirect could lead to.
_HANDLERS = (
    ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler,
    HTTPRedirectHandler, HTTPErrorProcessor,
)  # fmt: skip


def shown_address(url: str) -> str:
    """Return an address without its query and its credentials, which may be secret.

    Raises:
        ConfigError: it is no address.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"the address of the feed is malformed: {error}") from None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def download(url: str, target: BinaryIO, tell: Callable[[int, int | None], None]) -> None:
    """Write what a web server answers into a file.

    Args:
        url: With http or https.
        target: The file.
        tell: Called with how many bytes there are, and how many come if the server says so.

    Raises:
        ConfigError: the address is wrong.
        StreamappError: the server does not answer, refuses, is too slow, sends too much, or ends
            early.
    """
    where = shown_address(url)
    if "@" in urlsplit(url).netloc:
        raise ConfigError(f"{where}: credentials in an address are not read; fetch the file first")
    opener = OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    until = time.monotonic() + _MAX_S
    try:
        # The handlers know http and https alone.
        request = Request(url, headers={"User-Agent": "streamapp"})  # noqa: S310
        with cast("HTTPResponse", opener.open(request, timeout=_PATIENCE_S)) as answer:
            said = answer.headers.get("Content-Length", "")
            size = int(said) if said.isdecimal() else None
            done = 0
            # One part at a time: a whole block of a slow server could take for ever.
            while part := answer.read1(_BLOCK):
                done += len(part)
                if done > MAX_BYTES:
                    raise StreamappError(f"{where}: the feed has more than {MAX_BYTES:,} bytes")
                if time.monotonic() > until:
                    raise StreamappError(
                        f"{where}: the feed did not come in {_MAX_S:.0f} s; fetch the file first"
                    )
                target.write(part)
                tell(done, size)
    except HTTPError as error:
        error.close()
        raise StreamappError(f"{where}: the server answers {error.code} {error.reason}") from None
    except URLError as error:
        raise StreamappError(f"{where}: cannot be fetched: {error.reason}") from None
    except (HTTPException, ValueError, OSError) as error:
        why = str(error) or type(error).__name__
        raise StreamappError(f"{where}: cannot be fetched: {why}") from None
    if size is not None and done < size:
        raise StreamappError(f"{where}: ended after {done:,} of {size:,} bytes; try again")
