"""The obvious first recommender: a Faust agent that works on one event at a time.

For each event it reads the user's history, increments both directions of every pair in a pipeline,
reads the item's row and the norms behind it, sorts, and sets the list.
"""

from collections.abc import AsyncIterable, Mapping
from typing import Any

import faust
import orjson
from redis.asyncio import Redis

from loadtest.bench.program import heard
from loadtest.bench.rivals.counting import apply, ranked
from loadtest.bench.rivals.lap import Lap, events_in


class Recommender:
    """The work on one event.

    Args:
        redis: The client for all keys.
        prefix: Prefix of all its keys.
        weights: By the name of a type.
    """

    def __init__(self, redis: Redis, prefix: str, weights: Mapping[str, float]) -> None:
        self._redis = redis
        self._prefix = prefix
        self._weights = weights

    async def take(self, event: Mapping[str, Any]) -> None:
        """Count an event and set the list of its item."""
        redis, prefix = self._redis, self._prefix
        item, history_key = str(event["item_id"]), f"{prefix}:history:{event['user_id']}"
        history = orjson.loads(await redis.get(history_key) or b"{}")
        pipe = redis.pipeline(transaction=False)
        for name, other, change in apply(history, event, self._weights):
            if name == other:
                pipe.hincrby(f"{prefix}:norms", name, change)
            else:
                pipe.hincrby(f"{prefix}:row:{name}", other, change)
        pipe.set(history_key, orjson.dumps(history))
        await pipe.execute()
        stored: Any = await redis.hgetall(f"{prefix}:row:{item}")
        row = {other.decode(): int(dot) for other, dot in stored.items()}
        names = [item, *row]
        sums: Any = await redis.hmget(f"{prefix}:norms", names)
        by_name = {name: int(found or 0) for name, found in zip(names, sums, strict=True)}
        entries = ranked(row, by_name[item], by_name)
        await redis.set(f"{prefix}:recs:item:{item}", orjson.dumps({"items": entries}))


def create_app(spec: dict[str, Any]) -> faust.App:
    """Return the app."""
    app = faust.App(
        spec["group"],
        broker=spec["broker_url"],
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
    )
    source = app.topic(spec["topic"], value_type=bytes, key_type=bytes)
    lap, redis = Lap(spec["events"]), Redis.from_url(spec["redis_url"])
    recommender = Recommender(redis, spec["group"], spec["weights"])

    async def recommend(stream: AsyncIterable[bytes]) -> None:
        async for value in stream:
            lap.begin()
            for event in events_in(value):
                await recommender.take(event)
                if lap.count(1):
                    lap.finish()

    app.agent(source)(recommend)
    return app


if __name__ == "__main__":
    faust.Worker(create_app(heard()), loglevel="error").execute_from_commandline()
