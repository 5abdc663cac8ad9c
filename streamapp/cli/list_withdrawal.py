"""Withdraws lists that the next state may never replace."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.cli.session import existing_partitions
from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.ids.partitioner import partitions_of
from streamapp.core.list_kinds import ITEM, TRENDING, USER
from streamapp.core.lists.list_format import is_content
from streamapp.core.lists.list_seq import seq_headers, seq_of
from streamapp.errors import StateError
from streamapp.inspection.reset import remove_all
from streamapp.pipelines import extra_kinds
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys, details_key, list_name, pattern_of, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing, Producer

_KINDS = (ITEM, *PROJECTIONS, USER)
"""The kinds whose lists have a name; a trending list may have none."""

_READ_AT_ONCE = 100


async def all_lists(redis: Redis, settings: Settings) -> list[str]:
    """Return the keys of all lists; keys under the prefix that are not of a known kind stay.

    So the lists of another app are left out, whose list prefix begins with this one.

    Cost: one scan over all keys of the server.
    """
    trending = list_name(TRENDING, "")
    own = tuple(list_name(kind, "") + ":" for kind in (*_KINDS, TRENDING))
    names = {
        name
        for key in await _keys_under(redis, settings.list_prefix)
        if (name := key.removeprefix(settings.list_prefix)).startswith(own) or name == trending
    }
    return sorted(settings.list_prefix + name for name in names)


async def outdated_lists(redis: Redis, settings: Settings) -> list[str]:
    """Return the keys of lists that another state may never replace.

    They are lists of kinds that are switched off, trending lists of categories, and content
    neighbours. Only the state knows which categories had a list.

    Cost: one to four scans over all keys of the server; with content, one read of each item list.
    """
    off = [kind for kind in PROJECTIONS if kind not in extra_kinds(settings)]
    found = [
        key
        for kind in (*off, TRENDING)
        for key in await _keys_under(redis, _prefix(settings, kind))
    ]
    if await _may_have_content(redis, settings):
        found += [
            key
            for key in await _keys_under(redis, _prefix(settings, ITEM))
            if is_content(await redis.get(key) or b"")  # type: ignore[arg-type]
        ]
    return sorted(set(found))


async def item_lists(
    redis: Redis, settings: Settings, keep: Mapping[str, Collection[str]]
) -> list[str]:
    """Return the keys of item lists, except those of some items.

    Args:
        redis: A client that answers in bytes.
        settings: Where the lists are.
        keep: By kind, the items whose lists are left out.

    Cost: a scan over all keys of the server for each kind.
    """
    found = [
        key
        for kind, items in keep.items()
        for key in await _keys_under(redis, _prefix(settings, kind))
        if key.removeprefix(_prefix(settings, kind)) not in items
    ]
    return sorted(found)


async def withdraw(redis: Redis, settings: Settings, keys: Sequence[str]) -> int:
    """Remove lists; return how many there were.

    They are removed from the topic first and then from Redis, details before the keys that readers
    see. After an interruption, the keys that are left in Redis say what is left to do.
    """
    if not keys:
        return 0
    topic = settings.lists_topic
    names = [key.removeprefix(settings.list_prefix).encode() for key in keys]
    partitions = partitions_of(names, (await existing_partitions(settings, [topic]))[topic])
    messages: dict[tuple[str, int], list[Outgoing]] = {}
    seqs = await _stored_seqs(redis, keys)
    for name, partition, seq in zip(names, partitions, seqs, strict=True):
        # The record of a removal replaces the list of the same `seq`.
        removal = Outgoing(None, name, headers=seq_headers(seq))
        messages.setdefault((topic, partition), []).append(removal)
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.deliver(messages)
    finally:
        await producer.stop()
    if settings.list_details == "ids":
        await remove_all(redis, [details_key(settings.state_prefix, key) for key in keys])
    return await remove_all(redis, keys)


async def _stored_seqs(redis: Redis, keys: Sequence[str]) -> list[int]:
    """Return the `seq` of each list; 0 if it has gone meanwhile."""
    seqs: list[int] = []
    for start in range(0, len(keys), _READ_AT_ONCE):
        some = keys[start : start + _READ_AT_ONCE]
        stored: Any = await asyncio.gather(*(redis.get(key) for key in some))
        seqs += [seq_of(content or b"") for content in stored]
    return seqs


async def _may_have_content(redis: Redis, settings: Settings) -> bool:
    """Return whether lists may hold content neighbours, as far as the state says."""
    try:
        head = await Slot(redis, SlotKeys(settings.state_prefix, rows_tag(0))).head(Head)
    except StateError:
        return True
    return head is None or "content_neighbours" in head.results


def _prefix(settings: Settings, kind: str) -> str:
    """Return the prefix of the keys of the lists of a kind; a list without a name has another."""
    return settings.list_prefix + list_name(kind, "") + ":"


async def _keys_under(redis: Redis, prefix: str) -> list[str]:
    return [key.decode() async for key in redis.scan_iter(pattern_of(prefix), count=1_000)]
