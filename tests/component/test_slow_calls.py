"""The benchmark's record of calls that block Redis."""

from importlib.resources import files

from redis import Redis

from loadtest.bench.slow_calls import slow_calls
from tests.servers.node import RedisNode

_BUSY = "for number = 1, 300000 do redis.call('EXISTS', KEYS[1]) end"


def test_the_slowest_call_is_told_and_settings_are_as_before(node: RedisNode) -> None:
    """Earlier calls do not count.

    Any other call may be slow too, if the server waits for a CPU.
    """
    with Redis.from_url(node.url) as redis:
        redis.config_set("slowlog-log-slower-than", 1_000)
        redis.eval(_BUSY, 1, "a")
        with slow_calls(redis) as quiet:
            redis.set("a", "b")
        assert quiet.slowest != "EVAL"
        with slow_calls(redis) as busy:
            redis.eval(_BUSY, 1, "a")
            redis.eval(_BUSY, 1, "a")
        assert busy.slowest == "EVAL"
        assert busy.slowest_ms > 1
        assert busy.count >= 2
        assert redis.config_get("slowlog-log-slower-than") == {"slowlog-log-slower-than": "1000"}


def test_scripts_are_told_by_their_name(node: RedisNode) -> None:
    """Redis knows them by the digest of their text."""
    text = (files("streamapp.store.slot") / "lua" / "replace-lists.lua").read_text()
    keys, lists = [f"list{number}" for number in range(6_000)], 3_000
    sizes = (2).to_bytes(4, "little") * lists
    with Redis.from_url(node.url) as redis:
        digest = redis.script_load(text)
        with slow_calls(redis) as found:
            redis.evalsha(digest, len(keys), *keys, 1, 60, "", sizes, "[]" * lists)
        assert found.slowest == "replace-lists.lua"
