"""Heads take about as much memory as `streamapp footprint` predicts."""

import pytest
from redis.asyncio import Redis

from streamapp.config.fingerprints import reading_text, rule_text
from streamapp.config.settings import Settings
from streamapp.core.trending.popularity import Popular
from streamapp.inspection.footprint import Parts, Size, predict
from streamapp.pipelines import main_pipeline
from streamapp.store.input_versions import positions_text, published_text
from streamapp.store.slot.head import Head, HistoriesHead, IntakeHead, ShardHead, stored_names
from streamapp.store.slot.keys import SlotKeys, histories_tag, intake_tag, rows_tag

SETTINGS = Settings(_env_file=None)
PIPELINE = main_pipeline(SETTINGS)
MOVES = 123_456
"""Positions and counts of an app that has worked for a while."""


async def put(redis: Redis, tag: str, head: Head, results: str, **others: str) -> int:
    """Write a head with the fields that scripts write; return its memory."""
    key = SlotKeys(SETTINGS.state_prefix, tag).head
    written = {"position": str(MOVES), "generation": "f" * 16, "written": "f" * 16, "begun": "0"}
    for name, value in (head.encode() | written | {"results": results} | others).items():
        await redis.hset(key, name, value)
    return int(await redis.memory_usage(key, samples=0) or 0)


@pytest.mark.parametrize("count", [1, 4, 64])
async def test_heads_take_what_is_predicted(redis: Redis, count: int) -> None:
    """With an offset for each source; Valkey takes up to a third less than Redis."""
    slot = {"owner": "f" * 16, "tick": str(10**12), "blobs": str(MOVES), "blob_bytes": str(10**7)}
    mark = b"123456:1234567890"
    moved = ShardHead(position=MOVES, published=MOVES)
    shards = [moved] * count
    histories = HistoriesHead(
        applied_offsets={f"{t}/{n}": MOVES for t in SETTINGS.event_topics for n in range(count)},
        applied=MOVES, last_record=mark, newest_ts=1_700_000_000.25,
    )  # fmt: skip
    (seen,) = stored_names(HistoriesHead, ("user_lists_version",))
    shard = ShardHead(
        applied_offsets={str(number): MOVES for number in range(count)}, last_record=mark,
        rule=rule_text(SETTINGS), published=MOVES, norm_feed="a:ffffffff", norm_feed_bytes=MOVES,
        norms_shared=MOVES, norms_seen=positions_text(shards), norms_taken=MOVES,
        popular_ts=1_700_000_000.25,
        popular=[Popular(f"sku-{number:08}", 0.6738, 12_345) for number in range(20)],
    )  # fmt: skip
    taken = 0
    for number in range(count):
        for topic in SETTINGS.event_topics:
            taken += await put(redis, intake_tag(topic, number), IntakeHead(last_record=mark),
                               reading_text(SETTINGS, topic))  # fmt: skip
        taken += await put(redis, histories_tag(number), histories, PIPELINE.results,
                           **slot, **{seen: published_text(shards, b"")})  # fmt: skip
        taken += await put(redis, rows_tag(number), shard, PIPELINE.results, **slot)
    size = Size(users=0, items=0, pairs=0, history=0.0, id_bytes=12, live=0)
    classes = predict(size, Parts(count, count), SETTINGS, PIPELINE)
    heads = next(one for one in classes if one.name == "heads")
    assert heads.keys == (len(SETTINGS.event_topics) + 2) * count
    assert 0.9 < heads.bytes / taken < 1.6
