"""Feeds of web servers and files: what is fetched, and what is refused in one line."""

import gzip
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from streamapp.errors import ConfigError, StreamappError
from streamapp.feeds.fetching import download, location
from streamapp.feeds.fetching.location import local_file, shown_feed

FEED = b"item_id\n" + b"tent\n" * 1_000


class _Shop(BaseHTTPRequestHandler):
    """Answers by the path."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", {"/to/feed": "/feed", "/to/ftp": "ftp://127.0.0.1/feed",
                                          "/to/file": "file:///etc/passwd"}[path])  # fmt: skip
            self.end_headers()
            return
        if path == "/none":
            self.send_error(404)
            return
        body = {"/packed": gzip.compress(FEED), "/latin": b"id\n\xe9\n"}.get(path, FEED)
        self.send_response(200)
        if path != "/unsized":
            self.send_header("Content-Length", str(len(body) + 7 * (path == "/short")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a web server on loopback."""
    monkeypatch.setenv("no_proxy", "*")
    with HTTPServer(("127.0.0.1", 0), _Shop) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def fetched(where: str) -> bytes:
    """Return the content of a feed."""
    with local_file(where, lambda _done, _size: None) as path:
        return path.read_bytes()


@pytest.mark.parametrize("path", ["/feed", "/to/feed", "/packed", "/unsized"])
def test_a_feed_is_fetched_through_redirects_and_without_its_compression(
    shop: str, path: str
) -> None:
    """The file is removed at the end."""
    assert fetched(shop + path) == FEED
    with local_file(shop + path, lambda _done, _size: None) as file:
        assert file.exists()
    assert not file.exists()


def test_the_progress_of_a_fetch_is_told(shop: str) -> None:
    """With the size, if the server says it."""
    told: list[tuple[int, int | None]] = []
    with local_file(f"{shop}/feed", lambda done, size: told.append((done, size))):
        assert told[-1] == (len(FEED), len(FEED))


@pytest.mark.parametrize(("path", "message"), [
    ("/none?key=secret", "/none: the server answers 404 Not Found"),
    ("/short", r"/short: ended after 5,008 of 5,015 bytes"),
    ("/to/ftp", "/to/ftp: cannot be fetched: unknown url type: ftp"),
    ("/to/file", "/to/file: the server answers 302"),
    ("/ spaced", "cannot be fetched"),
])  # fmt: skip
def test_what_cannot_be_fetched_is_one_line_without_secrets(
    shop: str, path: str, message: str
) -> None:
    """A redirect leads to no file and no other protocol."""
    with pytest.raises(StreamappError, match=message) as caught:
        fetched(shop + path)
    assert "secret" not in str(caught.value)


def test_nobody_who_answers_is_one_line(shop: str) -> None:
    """The port of TLS is another one, too."""
    with pytest.raises(StreamappError, match="cannot be fetched"):
        fetched(shop.replace("http:", "https:") + "/feed")


@pytest.mark.parametrize("path", ["/feed", "/unsized", "/packed"])
def test_a_feed_has_a_largest_size_also_without_its_compression(
    shop: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The disk does not fill."""
    monkeypatch.setattr(download, "MAX_BYTES", 1_000)
    monkeypatch.setattr(location, "MAX_BYTES", 1_000)
    with pytest.raises(StreamappError, match=rf"{path}: the .*feed has more than 1,000 bytes"):
        fetched(shop + path)


def test_a_feed_that_takes_too_long_is_given_up(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often some bytes come."""
    monkeypatch.setattr(download, "_MAX_S", -1.0)
    with pytest.raises(StreamappError, match="did not come in"):
        fetched(f"{shop}/feed")


@pytest.mark.parametrize(("where", "message"), [
    ("ftp://shop.example/feed", "http or https only"),
    ("file:///etc/passwd", "http or https only"),
    ("http://ann:secret@shop.example/feed", "credentials in an address are not read"),
    ("http://[shop/feed", "malformed"),
    ("missing.csv", "missing.csv: the file cannot be read: No such file"),
    (".", "the file cannot be read: Is a directory"),
])  # fmt: skip
def test_an_address_that_cannot_be_right_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, message: str
) -> None:
    """Before anything is opened."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        fetched(where)
    assert "secret" not in str(caught.value)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """It can be opened once only; nothing waits for its writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="a file on a disk is needed"):
        fetched(str(tmp_path / "pipe"))


def test_messages_show_an_address_without_its_secrets() -> None:
    """And the name of a file as it is."""
    assert shown_feed("https://ann:secret@shop.example/feed?key=secret") == (
        "https://shop.example/feed"
    )
    assert shown_feed("feeds/today.csv?") == "feeds/today.csv?"


def test_an_error_in_a_fetched_feed_names_the_address(shop: str) -> None:
    """People do not know the file beside it."""
    with (
        pytest.raises(ConfigError, match=rf"^{shop}/latin, line 2: not UTF-8"),
        local_file(f"{shop}/latin?key=secret", lambda _done, _size: None) as path,
    ):
        path.read_text(encoding="utf-8")
