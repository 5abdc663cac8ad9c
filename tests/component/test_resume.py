"""Going on after a gap moves the positions in event partitions, and nothing else."""

from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.cli import resume
from streamapp.cli.resume import read_gaps, skip
from streamapp.config.settings import Settings
from streamapp.errors import StateError
from streamapp.transport.records import TP, Offsets

SETTINGS = Settings(_env_file=None, event_topics="clicks", catalogue_topic="goods")
LAYOUT = {"clicks": 2, "goods": 1, SETTINGS.interactions_topic: 1, SETTINGS.deltas_topic: 1}
HEADS = {
    "e:clicks:0": TP("clicks", 0),
    "e:clicks:1": TP("clicks", 1),
    "c0": TP("goods", 0),
    "u0": TP(SETTINGS.interactions_topic, 0),
    "i0": TP(SETTINGS.deltas_topic, 0),
}


@pytest.fixture
async def beginnings(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> dict[TP, int]:
    """A state at position 10 everywhere, and where the partitions begin, which a test changes."""
    known = dict.fromkeys(HEADS.values(), 0)

    async def offsets(*_: Any) -> dict[TP, Offsets]:
        return {tp: Offsets(at, 100, None) for tp, at in known.items()}

    monkeypatch.setattr(resume, "read_offsets", offsets)
    await redis.hset("streamapp:layout", ":generation", "g")
    for tag in HEADS:
        head: Any = {"generation": "g", "position": 10, "begun": 2, "results": "{}", "mark": "9:7"}
        await redis.hset(f"streamapp:{{{tag}}}:head", mapping=head)
    return known


async def test_a_state_without_a_gap_stays(redis: Redis, beginnings: dict[TP, int]) -> None:
    """A position at the first record is fine."""
    beginnings[TP("clicks", 0)] = 10
    assert await read_gaps(redis, SETTINGS, LAYOUT) == []


async def test_a_gap_of_events_is_counted_and_skipped(
    redis: Redis, beginnings: dict[TP, int]
) -> None:
    """The position alone changes, and a second run finds nothing."""
    beginnings[TP("clicks", 1)] = 15
    (gap,) = await read_gaps(redis, SETTINGS, LAYOUT)
    assert (gap.tp, gap.position, gap.beginning, gap.records) == (TP("clicks", 1), 10, 15, 5)
    before = await redis.hgetall("streamapp:{e:clicks:1}:head")

    await skip(redis, gap)
    after = await redis.hgetall("streamapp:{e:clicks:1}:head")
    assert after == before | {b"position": b"15"}
    assert await read_gaps(redis, SETTINGS, LAYOUT) == []


async def test_a_position_that_moves_is_left_alone(redis: Redis, beginnings: dict[TP, int]) -> None:
    """A worker is at work that nobody saw."""
    beginnings[TP("clicks", 0)] = 15
    (gap,) = await read_gaps(redis, SETTINGS, LAYOUT)
    await redis.hset("streamapp:{e:clicks:0}:head", "position", "12")
    with pytest.raises(StateError, match=r"clicks\[0\] moves"):
        await skip(redis, gap)
    assert await redis.hget("streamapp:{e:clicks:0}:head", "position") == b"12"


@pytest.mark.parametrize(
    ("tag", "remedy"),
    [
        ("u0", "rebuild --from-histories"),
        ("i0", "rebuild --from-histories"),
        ("c0", "streamapp rebuild`"),
    ],
)
async def test_other_gaps_cannot_be_accepted(
    redis: Redis, beginnings: dict[TP, int], tag: str, remedy: str
) -> None:
    """The line names the remedy; nothing is skipped, also where events have a gap too."""
    beginnings[TP("clicks", 0)] = 15
    beginnings[HEADS[tag]] = 11
    with pytest.raises(StateError, match=remedy):
        await read_gaps(redis, SETTINGS, LAYOUT)
