"""Calls are packed for Redis in the bytes of redis-py."""

import pytest
from redis.asyncio import Connection

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.store.redis.connection import connect


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000, 1_000_000])
@pytest.mark.parametrize("command", ["SET", "CONFIG SET"])
def test_a_call_is_packed_as_redis_py_packs_it(command: str, size: int) -> None:
    """A large last argument takes its own way."""
    pool = connect(Settings(_env_file=None)).connection_pool
    ours, theirs = pool.connection_class(), Connection()
    call = (command, "key", 7, b"", b"x" * size)
    packed = b"".join(theirs.pack_command(*call))
    assert b"".join(ours.pack_command(*call)) == packed
    behind = (*call, "EX")
    assert b"".join(ours.pack_command(*behind)) == b"".join(theirs.pack_command(*behind))


def test_a_large_argument_that_comes_last_is_not_copied() -> None:
    """It is the same object."""
    pool = connect(Settings(_env_file=None)).connection_pool
    large = b"x" * 10_000
    assert any(piece is large for piece in pool.connection_class().pack_command("SET", "k", large))


def test_a_call_of_one_word_is_packed() -> None:
    """It has no argument that could be large."""
    pool = connect(Settings(_env_file=None)).connection_pool
    assert b"".join(pool.connection_class().pack_command("PING")) == b"*1\r\n$4\r\nPING\r\n"


@pytest.mark.parametrize(
    ("url", "cluster", "reason"),
    [
        ("redis://h/0?foo=bar", False, "unexpected keyword argument 'foo'"),
        ("redis://h/0?foo=bar", True, "unexpected keyword argument 'foo'"),
        ("redis://h?socket_timeout=soon", False, "Invalid value for 'socket_timeout'"),
        ("redis://h?protocol=9", False, "protocol must be either 2 or 3"),
        ("rediss://h?ssl_cert_reqs=perhaps", False, "perhaps"),
        ("redis://h/3", True, "'db' must be 0"),
    ],
)
def test_a_url_that_redis_py_does_not_take_is_refused(url: str, cluster: bool, reason: str) -> None:
    """In one line, before anything is connected."""
    settings = Settings(_env_file=None, redis_url=url, redis_cluster=cluster)
    with pytest.raises(ConfigError, match=f"STREAMAPP_REDIS_URL: .*{reason}") as caught:
        connect(settings)
    assert "\n" not in str(caught.value)


def test_options_that_redis_py_has_are_taken_from_the_url() -> None:
    """They come before those of the settings."""
    url = "redis://h/3?socket_timeout=2.5&health_check_interval=7&client_name=me"
    options = connect(Settings(_env_file=None, redis_url=url)).connection_pool.connection_kwargs
    assert (options["db"], options["socket_timeout"], options["client_name"]) == (3, 2.5, "me")
    assert options["health_check_interval"] == 7


@pytest.mark.parametrize("cluster", [False, True])
def test_the_url_does_not_limit_the_connections(cluster: bool) -> None:
    """There is one setting for it, and tasks wait for a connection."""
    url = "redis://h/0?max_connections=400"
    settings = Settings(_env_file=None, redis_url=url, redis_cluster=cluster)
    with pytest.raises(ConfigError, match=r"STREAMAPP_REDIS_URL: .*STREAMAPP_REDIS_CONNECTIONS"):
        connect(settings)
