"""Reads and writes the histories of a pipeline, all slots in one pass."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.store.slot.keys import SlotKeys, histories_tag, pattern_of
from streamapp.store.slot.slot import Slot

AT_ONCE = 250
"""Histories in one portion."""


def histories_slot(redis: Redis, state_prefix: str, number: int) -> Slot:
    """Return the slot of the histories of a partition."""
    return Slot(redis, SlotKeys(state_prefix, histories_tag(number)))


async def user_pages(redis: Redis, state_prefix: str) -> AsyncIterator[tuple[int, list[str]]]:
    """Yield each history once: the number of the slot, and some users.

    A history that is written meanwhile may be missing.

    Cost: one scan over all keys of the server. Memory: the key of every history, because a scan may
    name a key twice.
    """
    form = re.compile(re.escape(state_prefix.encode()) + rb"\{u(\d+)\}:b:(.*)\Z", re.DOTALL)
    seen: set[bytes] = set()
    pages: dict[int, list[str]] = {}
    async for key in redis.scan_iter(pattern_of(state_prefix + "{u"), count=1_000):
        found = form.match(key)
        if found is None or key in seen:
            continue
        seen.add(key)
        number = int(found[1])
        pages.setdefault(number, []).append(found[2].decode())
        if len(pages[number]) >= AT_ONCE:
            yield number, pages.pop(number)
    for number, users in pages.items():
        yield number, users


async def remove_slots(redis: Redis, state_prefix: str, kind: str, first: int = 0) -> int:
    """Remove the slots of a kind, such as `i`, from a number on; return how many keys they had.

    Cost: one scan over all keys of the server.
    """
    form = re.compile(re.escape(f"{state_prefix}{{{kind}".encode()) + rb"(\d+)\}:")
    removed = 0
    batches: dict[int, list[bytes]] = {}
    async for key in redis.scan_iter(pattern_of(f"{state_prefix}{{{kind}"), count=1_000):
        found = form.match(key)
        if found is None or (number := int(found[1])) < first:
            continue
        batches.setdefault(number, []).append(key)
        if len(batches[number]) >= AT_ONCE:
            removed += await unlink(redis, batches.pop(number))
    for keys in batches.values():
        removed += await unlink(redis, keys)
    return removed


async def unlink(redis: Redis, keys: Sequence[Any]) -> int:
    """Remove keys of one slot in one call; return how many names there were."""
    if keys:
        await redis.unlink(*keys)
    return len(keys)
