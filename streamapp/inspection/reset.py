"""Removes all state of an app and lets it begin again at chosen positions."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence

from redis.asyncio import Redis

from streamapp.config.fingerprints import reading_text
from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.pipelines import Pipeline
from streamapp.store.slot.keys import SlotKeys, pattern_of
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import read_state_id

_AT_ONCE = 500


async def count_keys(redis: Redis, state_prefix: str) -> tuple[int, int]:
    """Return how many keys under a state prefix belong to the state, and how many do not.

    Cost: one scan over all keys of the server.
    """
    own = others = 0
    async for _, is_own in _keys_under(redis, state_prefix):
        own, others = own + is_own, others + (not is_own)
    return own, others


async def remove_state(redis: Redis, state_prefix: str) -> int:
    """Remove the keys of the state, some at a time; return how many there were.

    Keys of another app stay, whose state prefix begins with this one.
    """
    removed, keys = 0, []
    async for key, is_own in _keys_under(redis, state_prefix):
        if is_own:
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


async def _keys_under(redis: Redis, state_prefix: str) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield each key under a state prefix, and whether it belongs to the state.

    A state has layouts, slots, tombstones and details of lists: each key has one of these forms
    behind the prefix of its pipeline. So the keys of `streamapp:staging:` are not those of
    `streamapp:`.
    """
    kinds = "|".join(map(re.escape, PROJECTIONS))
    parts = r"(?:layout\Z|details\Z|\{|gone:|details:)"
    form = rf"{re.escape(state_prefix)}(?:(?:{kinds}):)?{parts}".encode()
    async for key in redis.scan_iter(pattern_of(state_prefix), count=_AT_ONCE):
        yield key, re.match(form, key) is not None
