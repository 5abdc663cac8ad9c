"""The layout of a state: the first worker writes it, and all others must agree with it."""

import re
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.pipelines import pipelines
from streamapp.store.state_layout import (
    check_layout,
    check_partitions,
    layout_key,
    partition_count,
    read_state_id,
)

Everything = Callable[[], Awaitable[dict[bytes, bytes]]]

SETTINGS = Settings(_env_file=None, bought_together=True, catalogue_topic="products")
MAIN, TOGETHER = pipelines(SETTINGS).values()
EVENTS = MAIN.event_topics
COUNTS = {topic: 3 + n for n, topic in enumerate((*MAIN.topics, *TOGETHER.internal_topics))}


async def test_the_first_check_records_every_topic_of_every_pipeline(redis: Redis) -> None:
    """The state id is eight random digits, and the kinds of the state."""
    await check_layout(redis, SETTINGS, COUNTS)
    state_id = await read_state_id(redis, MAIN.state_prefix)
    assert re.fullmatch(r"[0-9a-f]{8}:bought_together", state_id)
    assert await read_state_id(redis, TOGETHER.state_prefix) == state_id
    for pipeline in (MAIN, TOGETHER):
        stored = await redis.hgetall(layout_key(pipeline.state_prefix))
        assert stored.pop(b":generation") == state_id.encode()
        assert stored == {topic.encode(): b"%d" % COUNTS[topic] for topic in pipeline.topics}
        for topic in pipeline.topics:
            found = await partition_count(redis, pipeline.state_prefix, topic)
            assert found == COUNTS[topic]


async def test_a_second_check_changes_nothing(redis: Redis, everything: Everything) -> None:
    """Every worker checks when it starts."""
    await check_layout(redis, SETTINGS, COUNTS)
    before = await everything()
    await check_layout(redis, SETTINGS, COUNTS)
    assert await everything() == before


async def test_without_a_layout_there_is_no_state_and_no_partition(redis: Redis) -> None:
    """Nothing is written by asking."""
    assert await read_state_id(redis, MAIN.state_prefix) == ""
    assert await partition_count(redis, MAIN.state_prefix, "clicks") == 0
    assert await redis.keys() == []


@pytest.mark.parametrize(
    ("topic", "more"),
    [(topic, more) for topic in COUNTS for more in (-1, 1) if more < 0 or topic not in EVENTS],
)
async def test_a_topic_with_another_number_of_partitions_is_refused(
    redis: Redis, topic: str, more: int
) -> None:
    """Of either pipeline, with fewer partitions or with more."""
    await check_layout(redis, SETTINGS, COUNTS)
    now = COUNTS[topic] + more
    says = f"{topic} has {now} partitions, the state was begun with {COUNTS[topic]}"
    with pytest.raises(ConfigError, match=says):
        await check_layout(redis, SETTINGS, COUNTS | {topic: now})


async def test_a_topic_of_events_may_get_more_partitions(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """They are recorded in every pipeline, with a line, and may not go again."""
    await check_layout(redis, SETTINGS, COUNTS)
    grown = COUNTS | {"clicks": COUNTS["clicks"] + 2}
    await check_layout(redis, SETTINGS, grown)
    for pipeline in (MAIN, TOGETHER):
        assert await partition_count(redis, pipeline.state_prefix, "clicks") == grown["clicks"]
    assert "clicks has 5 partitions, 2 more than before" in caplog.text
    caplog.clear()
    await check_layout(redis, SETTINGS, grown)
    assert caplog.text == ""
    with pytest.raises(ConfigError, match="clicks has 3 partitions, the state was begun with 5"):
        await check_layout(redis, SETTINGS, COUNTS)


def test_as_many_partitions_as_before_are_accepted() -> None:
    """One fewer or one more is refused."""
    check_partitions("clicks", 3, 3)
    for found in (2, 4):
        with pytest.raises(ConfigError):
            check_partitions("clicks", found, 3)


async def test_a_topic_that_the_settings_no_longer_name_is_refused(redis: Redis) -> None:
    """Its events would be missing."""
    await check_layout(redis, SETTINGS, COUNTS)
    without = SETTINGS.model_copy(update={"catalogue_topic": ""})
    with pytest.raises(ConfigError, match="begun with the topic products, which is in none of"):
        await check_layout(redis, without, COUNTS)


async def test_a_topic_that_is_added_is_recorded(redis: Redis) -> None:
    """It is counted from its first record; the other topics keep their numbers."""
    without = SETTINGS.model_copy(update={"catalogue_topic": ""})
    await check_layout(redis, without, COUNTS)
    assert await partition_count(redis, MAIN.state_prefix, "products") == 0
    await check_layout(redis, SETTINGS, COUNTS)
    found = await partition_count(redis, MAIN.state_prefix, "products")
    assert found == COUNTS["products"]


@pytest.mark.parametrize("kinds", [{"bought_together": False}, {"bought_after_view": True}])
async def test_other_kinds_of_lists_are_refused(redis: Redis, kinds: dict[str, bool]) -> None:
    """Earlier or later events of that kind would be missing."""
    await check_layout(redis, SETTINGS, COUNTS)
    other = SETTINGS.model_copy(update=kinds)
    with pytest.raises(ConfigError, match="but the state was begun with"):
        await check_layout(redis, other, COUNTS)


async def test_a_pipeline_of_another_state_is_refused(redis: Redis) -> None:
    """A part of a state was copied or restored."""
    await redis.hset(layout_key(TOGETHER.state_prefix), ":generation", "other:bought_together")
    with pytest.raises(ConfigError, match="belongs to another state"):
        await check_layout(redis, SETTINGS, COUNTS)
