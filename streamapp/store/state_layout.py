"""The layout of a state: its id, and how many partitions each topic had when the state began.

Each pipeline has a layout of its own, a hash under `<state prefix>layout`. All of them hold the
same state id. The id also names the extra kinds of lists that the state has counted since the first
event. The first worker sets this field once, and all workers follow it.
"""

import logging
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.errors import ConfigError, StateError
from streamapp.pipelines import Pipeline, extra_kinds, pipelines
from streamapp.store.slot.keys import SlotKeys

logger = logging.getLogger(__name__)

STATE_ID_FIELD = ":generation"
"""The field of the state id; the name of a topic has no colon."""

JOURNAL_FIELD = "journal"
"""The field of the journal of a rebuild from histories (ADR-0031)."""


async def read_state_id(redis: Redis, state_prefix: str) -> str:
    """Return the id of the state, which `streamapp rebuild` changes; "" if there is no state."""
    found: Any = await redis.hget(layout_key(state_prefix), STATE_ID_FIELD)
    return "" if found is None else str(found.decode())


async def partition_count(redis: Redis, state_prefix: str, topic: str) -> int:
    """Return how many partitions a topic had when the state was begun."""
    found: Any = await redis.hget(layout_key(state_prefix), topic)
    return int(found or 0)


def layout_key(state_prefix: str) -> str:
    """Return the key of the layout of a pipeline."""
    return f"{state_prefix}layout"


def journal_keys(state_prefix: str) -> SlotKeys:
    """Return the keys of the journal of a rebuild from histories, and of what it carries."""
    return SlotKeys(state_prefix, "h")


async def check_journal(redis: Redis, state_prefix: str) -> None:
    """Refuse a state that a rebuild from histories has begun to change.

    Raises:
        StateError: the rebuild was interrupted.
    """
    if await redis.hget(journal_keys(state_prefix).head, JOURNAL_FIELD) is not None:
        raise StateError(
            f"a rebuild of {state_prefix} from histories did not end; end it with `streamapp "
            "rebuild --from-histories --yes`"
        )


def new_state_id(settings: Settings) -> str:
    """Return an id for a state that begins now, with the kinds of lists that are switched on."""
    return ":".join((token_hex(4), *extra_kinds(settings)))


async def check_layout(redis: Redis, settings: Settings, counts: Mapping[str, int]) -> None:
    """Record the partition counts of a new state, and compare those of an existing one.

    A topic that is added to an existing state is counted from its first record, and so are
    partitions that are added to a topic of events.

    Raises:
        ConfigError: another topic has another number of partitions than when the state was begun,
            or a topic of events has fewer; or the settings no longer name a topic; or they name
            other kinds of lists.
        StateError: a rebuild from histories was interrupted.
    """
    await check_journal(redis, settings.state_prefix)
    first, *others = pipelines(settings).values()
    state_id = await _check_pipeline(redis, first, counts, new_state_id(settings))
    check_kinds(state_id, settings)
    for one in others:
        if await _check_pipeline(redis, one, counts, state_id) != state_id:
            raise ConfigError(
                f"what lies under {one.state_prefix} belongs to another state than the rest under "
                f"{first.state_prefix}; count again from the first event with `streamapp rebuild`"
            )


async def _check_pipeline(
    redis: Redis, pipeline: Pipeline, counts: Mapping[str, int], state_id: str
) -> str:
    """Check one pipeline, and return its state id: `state_id` if the pipeline is new."""
    key = layout_key(pipeline.state_prefix)
    topics = pipeline.topics
    noted: Any = await redis.hkeys(key)
    if missing := sorted({name.decode() for name in noted} - {STATE_ID_FIELD, *topics}):
        raise ConfigError(
            f"the state was begun with the topic {missing[0]}, which is in none of EVENT_TOPICS, "
            "CATALOGUE_TOPIC, INTERACTIONS_TOPIC and DELTAS_TOPIC; set them back, or count again "
            "from the first event with `streamapp rebuild`"
        )
    await redis.hsetnx(key, STATE_ID_FIELD, state_id)
    for topic in topics:
        await redis.hsetnx(key, topic, str(counts[topic]))
    stored = await redis.hgetall(key)
    for topic in topics:
        begun = int(stored[topic.encode()])
        if topic in pipeline.event_topics and counts[topic] > begun:
            await accept_growth(redis, pipeline.state_prefix, topic, counts[topic], begun)
        else:
            check_partitions(topic, counts[topic], begun)
    return await read_state_id(redis, pipeline.state_prefix)


def check_kinds(state_id: str, settings: Settings) -> None:
    """Refuse a state that was begun with other kinds of lists than are to be made now.

    Raises:
        ConfigError: the kinds differ, so either earlier or later events would be missing.
    """
    _, *before = state_id.split(":")
    for kind in PROJECTIONS:
        begun = kind in before
        if begun != (kind in extra_kinds(settings)):
            now, how, back = ("false", "with", "true") if begun else ("true", "without", "false")
            raise ConfigError(
                f"STREAMAPP_{kind.upper()} is {now}, but the state was begun {how} it; set it to "
                f"{back}, or stop all workers and count again from the first event with "
                "`streamapp rebuild`"
            )


async def accept_growth(
    redis: Redis, state_prefix: str, topic: str, found: int, begun: int
) -> None:
    """Record that a topic of events has more partitions now.

    Each is one more source of events: intake sends the events of a user to the same partition of
    interactions, wherever they come from.
    """
    await redis.hset(layout_key(state_prefix), topic, str(found))
    logger.warning(
        "%s has %d partitions, %d more than before: events of the new ones count from the first "
        "one; between an old and a new partition the order of a user's events is not defined",
        topic, found, found - begun,
    )  # fmt: skip


def check_partitions(topic: str, found: int, begun: int) -> None:
    """Refuse a topic that has another number of partitions than when the state was begun.

    Raises:
        ConfigError: the numbers differ.
    """
    if found != begun:
        raise ConfigError(
            f"{topic} has {found} partitions, the state was begun with {begun}: "
            "users or items would change their partition. Make the topic with "
            f"{begun} partitions, use another GROUP_ID and STATE_PREFIX to start from scratch, or "
            "give internal topics PARTITIONS partitions with `streamapp rebuild --from-histories`"
        )
