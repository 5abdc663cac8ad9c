"""Removes all state of an app and lets it begin again at chosen positions."""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from streamapp.config.fingerprints import reading_text
from streamapp.config.settings import Settings
from streamapp.pipelines import Pipeline
from streamapp.store.slot.keys import SlotKeys, pattern_of
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import read_state_id

_AT_ONCE = 500


async def remove_keys(redis: Redis, prefix: str) -> int:
    """Remove all keys that begin with `prefix`, some at a time; return how many there were."""
    removed, keys = 0, []
    async for key in redis.scan_iter(pattern_of(prefix), count=_AT_ONCE):
        keys.append(key)
        if len(keys) == _AT_ONCE:
            removed, keys = removed + await remove_all(redis, keys), []
    return removed + await remove_all(redis, keys)


async def begin_at(
    redis: Redis, settings: Settings, pipeline: Pipeline, positions: Mapping[str, int]
) -> None:
    """Make empty slots, by tag, at these positions of their logs; the layout must exist."""
    state_id = await read_state_id(redis, pipeline.state_prefix)
    for tag, position in positions.items():
        slot = Slot(redis, SlotKeys(pipeline.state_prefix, tag), state_id)
        kind, _, rest = tag.partition(":")
        reading = (
            reading_text(settings, rest.rpartition(":")[0]) if kind == "e" else pipeline.results
        )
        await slot.create(position, reading)


async def remove_all(redis: Redis, keys: Sequence[bytes] | Sequence[str]) -> int:
    """Remove keys one by one, because on a cluster each has its own slot; return how many."""
    for key in keys:
        await redis.unlink(key)
    return len(keys)
