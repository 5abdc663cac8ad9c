"""The proxy fails on demand, in front of a real server."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from streamapp.embedded import Valkey
from streamapp.embedded.server import HOST
from tests.servers.deadline import wait_until
from tests.servers.proxy import Proxy


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A server behind all proxies of this file."""
    with Valkey() as valkey:
        yield valkey


@pytest.fixture
def proxy(server: Valkey) -> Iterator[Proxy]:
    """A proxy that does nothing yet."""
    with Proxy(server.port) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Redis]:
    """A client that never repeats a request."""
    with Redis(HOST, proxy.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as redis:
        redis.delete("n")
        yield redis


@pytest.mark.parametrize("hangs", [False, True])
def test_a_lost_reply_is_to_a_request_that_was_carried_out(
    proxy: Proxy, client: Redis, hangs: bool
) -> None:
    """Only matching replies are lost, up to the count; the connection ends or hangs."""
    proxy.lose_replies(to=b"INCR", hangs=hangs)
    assert client.ping()
    with pytest.raises(RedisTimeoutError if hangs else RedisConnectionError):
        client.incr("n")
    assert client.get("n") == b"1"
    assert client.incr("n") == 2
    assert proxy.lost == 1


def test_a_proxy_that_hangs_goes_on_when_it_is_healed(proxy: Proxy, client: Redis) -> None:
    """No data passes meanwhile; the data that waited passes then."""
    proxy.hang()
    with pytest.raises(RedisTimeoutError):
        client.incr("n")
    proxy.heal()
    assert wait_until(lambda: client.get("n"), 5, "the request that waited passed") == b"1"


def test_a_slow_proxy_holds_back_both_directions(proxy: Proxy, client: Redis) -> None:
    """Twice 0.7 s are more than the client waits; twice 0.01 s are not."""
    proxy.slow(0.7)
    with pytest.raises(RedisTimeoutError):
        client.ping()
    proxy.slow(0.01)
    assert client.ping()


def test_a_request_that_is_cut_in_two_is_not_carried_out(proxy: Proxy, client: Redis) -> None:
    """The server gets the first bytes only, and the connection ends; the next one works."""
    proxy.cut(after_bytes=20)
    with pytest.raises(RedisConnectionError):
        client.set("n", "x" * 100)
    assert client.get("n") is None


def test_all_connections_are_cut_at_once(proxy: Proxy) -> None:
    """A client that waits sees its connection end, and a new connection is taken."""
    with socket.create_connection((HOST, proxy.port), 5) as waiting:
        wait_until(lambda: proxy.accepted, 5, "the connection is taken")
        proxy.cut()
        with suppress(ConnectionResetError):
            assert waiting.recv(1) == b""
    with Redis(HOST, proxy.port) as later:
        assert later.ping()
