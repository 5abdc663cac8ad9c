"""The topics say how large messages may be, and a worker that needs more does not start."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, UnsupportedVersionError

from streamapp.config.settings import Settings
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.errors import ConfigError
from streamapp.transport.topics import (
    check_limits,
    dated_by_workers,
    message_limits,
    needed_topics,
    topic_configs,
)

DEFAULT = 1_048_588
"""The limit of a topic that was made with the defaults of Kafka."""


class Admin:
    """In place of the client for administration: topics with these limits."""

    def __init__(self, limits: dict[str, str], error: KafkaError | None = None) -> None:
        self._limits, self._error = limits, error

    async def describe_configs(self, asked: list[Any]) -> list[Any]:
        """Return the settings of topics, as Kafka says them."""
        if self._error:
            raise self._error
        described: list[Any] = [
            (0, "", 2, one.name, [("cleanup.policy", "delete", False, 5, False, []),
                                  ("message.timestamp.type", "CreateTime", False, 5, False, []),
                                  ("max.message.bytes", limit, False, 5, False, [])])
            for one in asked if (limit := self._limits.get(one.name))
        ]  # fmt: skip
        unsaid: list[Any] = [(29, "no right", 2, one.name, []) for one in asked]
        return [SimpleNamespace(resources=described), SimpleNamespace(resources=unsaid)]


def settings(**chosen: Any) -> Settings:
    """Return settings with a catalogue."""
    return Settings(_env_file=None, catalogue_topic="items", **chosen)


async def limits(admin: Any) -> dict[str, int]:
    """Return the limits that a client finds."""
    return message_limits(await topic_configs(admin, needed_topics(settings())))


async def test_limits_are_those_that_kafka_says() -> None:
    """A topic of which it says nothing has none."""
    assert await limits(Admin({"streamapp-deltas": "5000"})) == {"streamapp-deltas": 5000}
    assert await limits(Admin({}, UnsupportedVersionError())) == {}


def test_topics_that_the_app_makes_take_its_messages() -> None:
    """Whatever the settings are."""
    for top_n in (1, 20, 200):
        needed = needed_topics(settings(top_n=top_n, bought_together=True))
        made = {one.name: int(one.config["max.message.bytes"]) for one in needed if one.largest}
        assert len(made) == 5
        check_limits(needed, made)
        check_limits(needed, {})


@pytest.mark.parametrize("name", ["streamapp-interactions", "streamapp-deltas"])
def test_an_internal_topic_of_the_default_size_is_refused_in_one_line(name: str) -> None:
    """It names the topic, the size and the setting."""
    with pytest.raises(ConfigError) as told:
        check_limits(needed_topics(settings()), {name: DEFAULT})
    assert str(told.value) == (
        f"the topic {name} takes messages of 1,048,588 bytes (max.message.bytes), and internal "
        "messages may have 16,777,216: set max.message.bytes of the topic to 16777216"
    )


def test_a_topic_of_lists_takes_the_longest_list() -> None:
    """The default size is enough for the default number of entries."""
    check_limits(needed_topics(settings()), {"recommendations": DEFAULT})
    with pytest.raises(ConfigError, match=r"lists with TOP_N=200 may have 1,2\d\d,\d\d\d"):
        check_limits(needed_topics(settings(top_n=200)), {"recommendations": DEFAULT})


def test_dead_letters_are_cut_where_their_topic_takes_less() -> None:
    """So any size is accepted."""
    check_limits(needed_topics(settings()), {"clicks.dlq": 2_000, "items": 2_000})
    assert MAX_MESSAGE_BYTES == 16_777_216


async def test_topics_that_workers_write_are_dated_by_the_broker() -> None:
    """So a wrong clock of a worker does not matter; trackers date their events themselves."""
    needed = needed_topics(settings(bought_together=True))
    dated = {one.name for one in needed if "message.timestamp.type" in one.config}
    assert {one.purpose for one in needed if one.name in dated} == {
        "internal", "dead letters", "lists",
    }  # fmt: skip
    assert dated & {"clicks", "purchases", "items"} == set()
    assert {one.config["message.timestamp.type"] for one in needed if one.name in dated} == {
        "LogAppendTime"
    }


async def test_a_topic_that_exists_and_is_dated_by_workers_is_named() -> None:
    """One of which Kafka says nothing is not, and no topic of trackers."""
    needed = needed_topics(settings())
    found = await topic_configs(Admin({"streamapp-deltas": "9", "clicks": "9"}), needed)
    assert dated_by_workers(needed, found) == ["streamapp-deltas"]
    assert (
        dated_by_workers(needed, {"streamapp-deltas": {"message.timestamp.type": "LogAppendTime"}})
        == []
    )
