"""Load test. A program that reads as many frontends would: each client waits for its answer.

Every client has a connection of its own and sends the next command when the last one is answered.
It is a closed loop, so its rate is what the server gives; its latencies are those of that rate.
"""

import asyncio
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from redis.asyncio import Redis

from loadtest.bench.distribution import Distribution
from loadtest.bench.program import heard, say
from streamapp.settings import load_settings

_BATCH = 256


class Client:
    """One reader.

    Args:
        redis: A client with one connection.
        keys: What it reads, popular ones more often; empty for PING.
        choose: Chooses places in `keys`.
    """

    def __init__(self, redis: Redis, keys: Sequence[str], choose: Callable[[], int]) -> None:
        self._redis = redis
        self._keys = keys
        self._choose = choose
        self.took_s = array("d")
        self.misses = 0

    async def run(self, end: asyncio.Event) -> None:
        """Read until `end`."""
        while not end.is_set():
            for _ in range(_BATCH):
                began_s = time.perf_counter()
                await self._ask()
                self.took_s.append(time.perf_counter() - began_s)

    async def _ask(self) -> None:
        if not self._keys:
            await self._redis.ping()
        elif await self._redis.get(self._keys[self._choose()]) is None:
            self.misses += 1


async def read(spec: dict[str, Any]) -> None:
    """Read for a time, or until standard input ends."""
    settings, chance = load_settings(), Random(spec["seed"])  # noqa: S311 - which key is next
    keys: list[str] = spec["keys"]
    end = asyncio.Event()
    clients = [
        Client(
            Redis.from_url(settings.redis_url, max_connections=1),
            keys,
            # The square of an even chance favours the front, where popular items are.
            lambda: int(len(keys) * chance.random() ** 2),
        )
        for _ in range(spec["clients"])
    ]
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run(end))
        if spec["duration_s"]:
            await asyncio.sleep(spec["duration_s"])
        else:
            await asyncio.to_thread(sys.stdin.buffer.readline)
        end.set()
    elapsed_s = time.monotonic() - began_s
    found = Distribution(took_s for client in clients for took_s in client.took_s)
    say({
        "reads_per_s": found.count / elapsed_s,
        "misses": sum(client.misses for client in clients),
        **found.as_dict(),
    })  # fmt: skip


if __name__ == "__main__":
    asyncio.run(read(heard()))
