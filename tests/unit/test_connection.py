"""How calls are packed for Redis: as redis-py does it, whatever it costs."""

import pytest
from redis.asyncio import Connection

from streamapp.settings import Settings
from streamapp.store.connection import connect


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000, 1_000_000])
@pytest.mark.parametrize("command", ["SET", "CONFIG SET"])
def test_a_call_is_packed_as_redis_py_packs_it(command: str, size: int) -> None:
    """What is large and comes last goes a way of its own."""
    pool = connect(Settings(_env_file=None)).connection_pool
    ours, theirs = pool.connection_class(), Connection()
    call = (command, "key", 7, b"", b"x" * size)
    packed = b"".join(theirs.pack_command(*call))
    assert b"".join(ours.pack_command(*call)) == packed
    behind = (*call, "EX")
    assert b"".join(ours.pack_command(*behind)) == b"".join(theirs.pack_command(*behind))


def test_a_large_argument_that_comes_last_is_not_copied() -> None:
    """It is the very object that was given."""
    pool = connect(Settings(_env_file=None)).connection_pool
    large = b"x" * 10_000
    assert any(piece is large for piece in pool.connection_class().pack_command("SET", "k", large))


def test_a_call_of_one_word_is_packed() -> None:
    """It has no argument that could be large."""
    pool = connect(Settings(_env_file=None)).connection_pool
    assert b"".join(pool.connection_class().pack_command("PING")) == b"*1\r\n$4\r\nPING\r\n"
