"""The journal of a rebuild from histories: what the next run needs to end an interrupted one.

The journal and the popularity that it carries lie in a slot of their own. While they exist, no
worker starts. The old state is complete until the journal is written, and the new one is complete
when the journal is removed (ADR-0031).
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import numpy as np
from redis.asyncio import Redis

from streamapp.core.ids.registry import Registry
from streamapp.core.messages.popularity_increments import PopularityIncrements
from streamapp.errors import StateError
from streamapp.inspection.reset import remove_all
from streamapp.store.state_layout import JOURNAL_FIELD, journal_keys

_POPULARITY = np.dtype([("mass", "<f8"), ("exponent", "<i4")])
_AT_ONCE = 5_000


class Sent(msgspec.Struct, frozen=True):
    """What is fixed once the broker has all deltas.

    Attributes:
        positions: By topic, the first offset of each partition that the new state applies.
        heads: By kind and partition of interactions, the fields of the new heads.
        seq_bases: By kind, what shards add to their positions to make the `seq` of a list.
    """

    positions: dict[str, list[int]]
    heads: dict[str, dict[int, dict[str, bytes]]]
    seq_bases: dict[str, int]


class Journal(msgspec.Struct, frozen=True):
    """How far a rebuild from histories is.

    Attributes:
        state_id: The id of the new state; each run that sends deltas has its own.
        before: Partitions of each internal topic in the old state.
        newest_ts: Newest event time behind the popularity that is carried, in seconds.
        lost: By topic, records that were given up.
        seqs: By kind, what the old shards add to their positions, and the highest position.
        sent: None until the broker has all deltas.
    """

    state_id: str
    before: dict[str, int]
    newest_ts: float
    lost: dict[str, int]
    seqs: dict[str, tuple[int, int]]
    sent: Sent | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Journal).decode


async def read_journal(redis: Redis, state_prefix: str) -> Journal | None:
    """Return the journal of an interrupted run; None without one.

    Raises:
        StateError: another version wrote it.
    """
    stored: Any = await redis.hget(journal_keys(state_prefix).head, JOURNAL_FIELD)
    try:
        return None if stored is None else _decode(stored)
    except msgspec.DecodeError as error:
        raise StateError(
            f"{journal_keys(state_prefix).head} is of another version ({error}); end the rebuild "
            "with the version that began it"
        ) from None


async def write_journal(redis: Redis, state_prefix: str, journal: Journal) -> None:
    """Write the journal over that of before."""
    keys = journal_keys(state_prefix)
    await redis.hset(keys.head, JOURNAL_FIELD, _encode(journal))


async def remove_journal(redis: Redis, state_prefix: str) -> None:
    """Remove the journal, and then what it carries."""
    keys = journal_keys(state_prefix)
    await remove_all(redis, [keys.head, keys.items, keys.popularity])


async def carry_popularity(
    redis: Redis, state_prefix: str, ids: list[str], increments: PopularityIncrements
) -> None:
    """Store the popularity of items, in place of what an earlier run stored.

    Args:
        redis: A client that answers in bytes.
        state_prefix: That of the state.
        ids: The items, each once.
        increments: Their popularity; `item` is the index in `ids`.
    """
    keys = journal_keys(state_prefix)
    await remove_all(redis, [keys.items, keys.popularity])
    records: Any = np.zeros(len(ids), _POPULARITY)
    records["mass"][increments.item] = increments.mass
    records["exponent"][increments.item] = increments.exponent
    for start in range(0, len(ids), _AT_ONCE):
        await redis.rpush(keys.items, *ids[start : start + _AT_ONCE])
        part = records[start : start + _AT_ONCE].tobytes()
        await redis.setrange(keys.popularity, start * _POPULARITY.itemsize, part)


async def carried_popularity(
    redis: Redis, state_prefix: str, newest_ts: float
) -> AsyncIterator[tuple[Registry, PopularityIncrements]]:
    """Yield the popularity that is carried, some items at a time, each with a registry."""
    keys = journal_keys(state_prefix)
    packed: Any = await redis.get(keys.popularity)
    records: Any = np.frombuffer(packed or b"", _POPULARITY)
    ids: Any = await redis.lrange(keys.items, 0, -1)
    for start in range(0, len(ids), _AT_ONCE):
        some = records[start : start + _AT_ONCE]
        registry = Registry(item.decode() for item in ids[start : start + _AT_ONCE])
        yield (
            registry,
            PopularityIncrements(
                np.arange(len(some), dtype=np.int32),
                np.ascontiguousarray(some["mass"]),
                np.ascontiguousarray(some["exponent"]),
                newest_ts,
            ),
        )
