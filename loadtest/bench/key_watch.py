"""A program that watches keys: when each probe shows in Redis, as a frontend would see.

It reads all lists that are due in one call, a few milliseconds after the last answer. A duration
ends with the answer, so it is too long by at most one round trip and that pause. More calls would
take more of the CPU that the broker and Redis share with it.
"""

import time
from typing import Any

from redis import Redis

from loadtest.bench.program import heard, say
from loadtest.bench.sighting import Sightings
from streamapp.config.loader import load_settings

_PAUSE_S = 0.004


def watch(spec: dict[str, Any]) -> None:
    """Watch until all probes were seen, or it takes too long."""
    settings = load_settings()
    sightings = Sightings(spec["due_s"], spec["shared"])
    with Redis.from_url(settings.redis_url) as redis:
        redis.ping()
        say({"ready": True})
        start_s = heard()["start_s"]
        while not sightings.done:
            now_s = time.monotonic() - start_s
            if now_s > spec["until_s"]:
                break
            if wanted := sightings.wanted(now_s):
                values = redis.mget([f"{settings.list_prefix}item:{item}" for item in wanted])
                now_s = time.monotonic() - start_s
                for item, value in zip(wanted, values, strict=True):
                    sightings.look(item, value, now_s)
            time.sleep(_PAUSE_S)
    say(sightings.as_dict())


if __name__ == "__main__":
    watch(heard())
