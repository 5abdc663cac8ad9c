"""Fields of many hashes are read in few calls; an error means the same as in a call of its own."""

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from streamapp.errors import StateError
from streamapp.store.redis.hashes import read_hashes
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.head_reader import read_heads


async def sent(redis: Redis) -> dict[str, int]:
    """Return how often each command was sent so far."""
    stats: dict[str, Any] = await redis.info("commandstats")
    return {name: about["calls"] for name, about in stats.items()}


class Packets:
    """Counts how often a client sends something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, redis: Redis) -> None:
        self.count = 0
        kind = redis.connection_pool.connection_class
        send = kind.send_packed_command

        async def counted(connection: Any, *arguments: Any, **options: Any) -> None:
            self.count += 1
            await send(connection, *arguments, **options)

        monkeypatch.setattr(kind, "send_packed_command", counted)


@pytest.mark.parametrize(
    ("hashes", "packets"), [(0, 0), (1, 1), (64, 1), (65, 2), (256, 4), (1_000, 16)]
)
async def test_sixty_four_hashes_take_one_round_trip(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, hashes: int, packets: int
) -> None:
    """And one command each; the order is that of the keys."""
    keys = [f"h{number}" for number in range(hashes)]
    for number, key in enumerate(keys):
        await redis.hset(key, mapping={"a": number, "b": "other"})
    before, counted = await sent(redis), Packets(monkeypatch, redis)
    assert await read_hashes(redis, keys, ["a", "c"]) == [
        [b"%d" % number, None] for number in range(hashes)
    ]
    assert counted.count == packets
    after = await sent(redis)
    assert after.get("cmdstat_hmget", 0) - before.get("cmdstat_hmget", 0) == hashes


async def test_a_hash_that_is_none_ends_the_read_in_one_line(redis: Redis) -> None:
    """The line names its key; a hash that is missing has no fields."""
    await redis.hset("h0", "a", "1")
    assert await read_hashes(redis, ["h0", "h1"], ["a"]) == [[b"1"], [None]]
    await redis.set("h1", "text")
    with pytest.raises(StateError, match="to read h1"):
        await read_hashes(redis, ["h0", "h1", "h2"], ["a"])


@pytest.mark.parametrize("broken", ["reply", "pipeline"])
async def test_what_a_pipeline_does_not_return_is_read_by_calls_of_their_own(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Those wait until an error passes, as a busy script does."""
    for number in range(3):
        await redis.hset(f"h{number}", "a", number)
    pipeline = redis.pipeline
    made: list[Any] = []

    def breaking(*arguments: Any, **options: Any) -> Any:
        pipe = pipeline(*arguments, **options)
        execute = pipe.execute

        async def executed(*some: Any, **more: Any) -> list[Any]:
            replies = await execute(*some, **more)
            if broken == "pipeline":
                raise AttributeError
            return [replies[0], ResponseError("BUSY Redis is busy"), replies[2]]

        monkeypatch.setattr(pipe, "execute", executed)
        made.append(pipe)
        return pipe

    monkeypatch.setattr(redis, "pipeline", breaking)
    before = (await sent(redis)).get("cmdstat_hmget", 0)
    assert await read_hashes(redis, ["h0", "h1", "h2"], ["a"]) == [[b"0"], [b"1"], [b"2"]]
    again = {"reply": 1, "pipeline": 3}[broken]
    assert (len(made), (await sent(redis))["cmdstat_hmget"] - before) == (1, 3 + again)


async def test_a_head_has_what_was_asked_for(redis: Redis) -> None:
    """Its position always; everything else has its default."""
    stored: dict[Any, Any] = {
        "position": 7,
        "published": 3,
        "turned": 5,
        "fence:clicks/0": 11,
        "fence:other": 12,
    }
    await redis.hset("h", mapping=stored)
    found = await read_heads(redis, ["h", "none"], ShardHead, "published", sources=["clicks/0"])
    assert found == [ShardHead(7, {"clicks/0": 11}, published=3), None]
