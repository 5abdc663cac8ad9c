"""Cli. `streamapp explain`: the counts behind the score of two items."""

import asyncio
from typing import Any, NamedTuple

import numpy as np
from redis.asyncio import Redis

from streamapp.cli.console import print_json, print_table
from streamapp.cli.session import redis_session
from streamapp.core.norms import NORM
from streamapp.core.ranking import similarity
from streamapp.core.registry import shard_of
from streamapp.core.rows import CELL
from streamapp.errors import ConfigError, StreamappError
from streamapp.settings import Settings, load_settings
from streamapp.store.keys import SlotKeys, rows_tag
from streamapp.store.slot import Slot
from streamapp.store.snapshot import read_layout

_AS_OF_BYTES = 8


class Explanation(NamedTuple):
    """What the score of two items is made of.

    Attributes:
        items: The two items.
        dot: Sum over users of the product of their ratings.
        sum_sq: Sum over users of the squared rating, of each item.
        similarity: What a list shows as score.
        support: Users who have both.
    """

    items: tuple[str, str]
    dot: float
    sum_sq: tuple[float, float]
    similarity: float
    support: int


def explain_pair(left: str, right: str, as_json: bool) -> None:
    """Print what the score of two items is made of.

    Raises:
        ConfigError: both are the same item.
        StreamappError: an item was never seen.
    """
    if left == right:
        raise ConfigError("an item has no score with itself; name two items")
    found = asyncio.run(_explain(load_settings(), left, right))
    if as_json:
        print_json(found._asdict())
        return
    print_table(
        f"{left} and {right}",
        ("what", "value"),
        (
            ("dot", found.dot),
            (f"sum of squares of {left}", found.sum_sq[0]),
            (f"sum of squares of {right}", found.sum_sq[1]),
            ("similarity", found.similarity),
            ("support", found.support),
        ),
    )


async def _explain(settings: Settings, left: str, right: str) -> Explanation:
    async with redis_session(settings) as redis:
        shards = (await read_layout(redis, settings))[settings.deltas_topic]
        keys = SlotKeys(settings.state_prefix, rows_tag(shard_of(left, shards)))
        slot = Slot(redis, keys)
        registry = await slot.registry()
        numbers = [registry.find(item) for item in (left, right)]
        for item, number in zip((left, right), numbers, strict=True):
            if number < 0:
                raise StreamappError(f"no interaction with item {item} was ever applied")
        sums = [await _sum_sq(redis, keys, number) for number in numbers]
        (row,) = await slot.read([numbers[0]])
    cells = np.frombuffer(row[1] if row else bytes(_AS_OF_BYTES), CELL, offset=_AS_OF_BYTES)
    cell = cells[cells["item"] == numbers[1]]
    dot, support = (float(cell["dot"][0]), int(cell["support"][0])) if len(cell) else (0.0, 0)
    score = float(similarity(dot, sums[0], sums[1], settings.damping))
    return Explanation((left, right), dot, (sums[0], sums[1]), score, support)


async def _sum_sq(redis: Redis, keys: SlotKeys, number: int) -> float:
    start = number * NORM.itemsize
    packed: Any = await redis.getrange(keys.norms, start, start + NORM.itemsize - 1)
    return float(np.frombuffer(packed, NORM)["sum_sq"].sum())
