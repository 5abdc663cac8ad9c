"""`streamapp explain`: the counts behind the score of two items."""

import asyncio
from typing import NamedTuple

import numpy as np
from redis.asyncio import Redis

from streamapp.cli.session import redis_session
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.decayed_rows import by_item
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import CELL
from streamapp.core.evaluation.association import Association
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.ids.registry import shard_of
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM
from streamapp.core.lists.ranking import MEASURES, Measure, share, similarity
from streamapp.errors import ConfigError, StreamappError
from streamapp.inspection.norms_reader import read_norms
from streamapp.inspection.row_sizes import packed_cells
from streamapp.inspection.snapshot import read_layout
from streamapp.pipelines import Pipeline, pipelines
from streamapp.store.slot.head import HistoriesHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, histories_tag, rows_tag
from streamapp.store.slot.slot import Slot


class _Words(NamedTuple):
    """The words for a kind: who is counted, and what they did with the items."""

    users: str
    did: tuple[str, str]
    both: str


_HAVE = ("have", "have")
_WORDS = {
    ITEM: _Words("users", _HAVE, "have both"),
    BOUGHT_TOGETHER: _Words("baskets", _HAVE, "have both"),
    BOUGHT_AFTER_VIEW: _Words("users", ("viewed", "bought"), "viewed the one and bought the other"),
}


class Explanation(NamedTuple):
    """The counts behind the score of two items.

    Attributes:
        items: The two items.
        dot: Sum over users of the product of their ratings.
        sum_sq: Sum over users of the squared rating, of each item.
        similarity: The cosine of their ratings.
        measure: The measure that lists show as score.
        score: The score of the second item in the list of the first, by that measure.
        support: Users who have both.
        users: Users with a history; then users with each item.
        support_share: Share of all users who have both.
        confidence: Users with both / users with the first; then / users with the second.
        lift: How many times more often than by chance users have both.
        jaccard: Users with both / users with either.
        log_likelihood_ratio: How unlikely the pair is by chance.
        as_of: The event time in seconds of `dot` and `sum_sq`, that of the newest event; None if
            interactions do not decay.
    """

    items: tuple[str, str]
    dot: float
    sum_sq: tuple[float, float]
    similarity: float
    measure: Measure
    score: float
    support: int
    users: tuple[int, int, int]
    support_share: float
    confidence: tuple[float, float]
    lift: float
    jaccard: float
    log_likelihood_ratio: float
    as_of: float | None = None


def explain_pair(left: str, right: str, kind: str, as_json: bool) -> None:
    """Print the counts behind the score of two items, in lists of a kind.

    Raises:
        ConfigError: both are the same item, or there are no lists of this kind.
        StreamappError: no event has named an item.
    """
    if left == right:
        raise ConfigError("an item has no score with itself; name two items")
    settings = load_settings()
    known = pipelines(settings)
    if kind not in known:
        off = f"; STREAMAPP_{kind.upper()} is false" if kind in PROJECTIONS else ""
        raise ConfigError(f"--kind {kind}: the lists that are made are {', '.join(known)}{off}")
    found = asyncio.run(_explain(settings, known[kind], left, right))
    if as_json:
        report = found._asdict()
        if found.as_of is None:
            del report["as_of"]
        print_json(report)
        return
    users, (did, then), both = _WORDS[kind]
    print_table(
        f"{left} and {right}",
        ("what", "value"),
        (
            ("dot", found.dot),
            (f"sum of squares of {left}", found.sum_sq[0]),
            (f"sum of squares of {right}", found.sum_sq[1]),
            ("similarity", found.similarity),
            (f"score of {right} in the list of {left}: {found.measure}", found.score),
            (f"support: {users} who {both}", found.support),
            (f"{users} who {did} {left}", found.users[1]),
            (f"{users} who {then} {right}", found.users[2]),
            (users, found.users[0]),
            (f"support as a share of {users}", found.support_share),
            (f"confidence {left} -> {right}", found.confidence[0]),
            (f"confidence {right} -> {left}", found.confidence[1]),
            ("lift", found.lift),
            ("jaccard", found.jaccard),
            ("log-likelihood ratio", found.log_likelihood_ratio),
            *([("as of", found.as_of)] if found.as_of is not None else []),
        ),
    )


async def _explain(settings: Settings, pipeline: Pipeline, left: str, right: str) -> Explanation:
    roles, kind = pipeline.roles, pipeline.kind
    ids = roles.row + left, roles.column + right
    async with redis_session(settings) as redis:
        layout = await read_layout(redis, pipeline)
        shard = shard_of(ids[0], layout[pipeline.deltas_topic])
        keys = SlotKeys(pipeline.state_prefix, rows_tag(shard))
        slot = Slot(redis, keys)
        registry = await slot.item_ids.registry()
        numbers = [registry.find(item) for item in ids]
        for item, number, did in zip((left, right), numbers, _WORDS[kind].did, strict=True):
            if number < 0:
                how = f"that {did} item" if roles.row else "with item"
                raise StreamappError(f"no interaction {how} {item} was ever applied")
        (row,) = await slot.blobs.read([numbers[0]])
        norms = await read_norms(slot, await slot.head(ShardHead) or ShardHead(), pipeline.decay)
        norms.reserve(max(len(registry), len(norms.users)))
        shard = shard_of(ids[1], layout[pipeline.deltas_topic])
        await _take_norm(redis, pipeline, shard, ids[1], norms, numbers[1])
        users, as_of = await _users(
            redis, pipeline.state_prefix, layout[pipeline.interactions_topic]
        )
    cells = np.frombuffer(packed_cells(row.content) if row else b"", CELL)
    if isinstance(norms, DecayedNorms):
        # A row may be a checkpoint ahead of the norms.
        cells = cells[cells["item"] < norms.eras.size]
        _, cells = by_item(norms, np.full(len(cells), numbers[0], np.int32), cells)
    cell = cells[cells["item"] == numbers[1]]
    dot, support = (float(cell["dot"][0]), int(cell["support"][0])) if len(cell) else (0.0, 0)
    left_sum_sq, right_sum_sq = norms.sum_sq[numbers].tolist()
    left_users, right_users = norms.users[numbers].tolist()
    for item, count in ((left, left_users), (right, right_users)):
        if not count:
            raise StreamappError(f"item {item} is in nobody's history any more")
    # While events come in, an earlier read may be a checkpoint behind a later one.
    having = max(left_users, support), max(right_users, support)
    cosine = float(similarity(dot, left_sum_sq, right_sum_sq, settings.damping))
    decay = pipeline.decay
    if decay and isinstance(norms, DecayedNorms):
        exponent = norms.exponent[numbers]
        sums = np.array([dot, left_sum_sq, right_sum_sq])
        twice = np.array([exponent.sum(), *(2 * exponent)], np.int64)
        dot, left_sum_sq, right_sum_sq = decay.at(sums, twice, as_of).tolist()
    code = MEASURES.index(settings.measure)
    part = float(share(code, support, *having, settings.damping))
    rule = Association(max(users, sum(having) - support), having, support)
    return Explanation(
        (left, right),
        dot,
        (left_sum_sq, right_sum_sq),
        cosine,
        settings.measure,
        cosine if settings.measure == "cosine" else part,
        support,
        (rule.users, *rule.having),
        rule.support,
        rule.confidence,
        rule.lift,
        rule.jaccard,
        rule.log_likelihood_ratio,
        as_of if decay else None,
    )


_NEWEST = 1 << 62
"""A position behind all others."""


async def _take_norm(
    redis: Redis, pipeline: Pipeline, shard: int, item: str, norms: Norms, number: int
) -> None:
    """Take the norm of an item from the shard that counts it.

    Args:
        redis: A client that answers in bytes.
        pipeline: The pipeline.
        shard: The shard.
        item: The item.
        norms: Gets the norm.
        number: Of the item there.
    """
    slot = Slot(redis, SlotKeys(pipeline.state_prefix, rows_tag(shard)))
    found = (await slot.item_ids.registry()).find(item)
    own = await read_norms(slot, await slot.head(ShardHead) or ShardHead(), pipeline.decay)
    if 0 <= found < len(own.users):
        values = own.values(np.array([found], np.int32))
        norms.take(np.array([number], np.int32), values, _NEWEST)


async def _users(redis: Redis, state_prefix: str, partitions: int) -> tuple[int, float]:
    """Return how many users have a history, and the time of the newest event in seconds."""
    slots = [
        Slot(redis, SlotKeys(state_prefix, histories_tag(number))) for number in range(partitions)
    ]
    heads = [await slot.head(HistoriesHead) or HistoriesHead() for slot in slots]
    newest = max(head.newest_ts for head in heads)
    return sum(head.blobs for head in heads), newest
