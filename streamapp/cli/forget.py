"""`streamapp forget`: sends the event that forgets a user."""

import asyncio

import orjson
import typer

from streamapp.cli.session import existing_partitions, one_line_errors
from streamapp.cli.terminal.console import print_json
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.events.formats.known_formats import AUTO, FLAT
from streamapp.core.events.values.ids import checked_id
from streamapp.core.histories.event_types import FORGET
from streamapp.core.ids.partitioner import partitions_of
from streamapp.core.list_kinds import USER
from streamapp.errors import BadEventError, ConfigError
from streamapp.printable import visible
from streamapp.store.slot.keys import list_name
from streamapp.transport.producer import Outgoing, Producer


def forget_user(user: str, as_json: bool) -> None:
    """Send the event that forgets a user, and say where the receipt comes.

    It goes to the first event topic that is read as flat events, to the partition of its key.

    Raises:
        ConfigError: `user` is no id or is ignored, or every event topic has another format.
        StreamappError: Kafka fails.
    """
    settings = load_settings()
    try:
        checked_id("ID", user)
    except BadEventError as error:
        raise ConfigError(str(error)) from None
    if user in settings.ignored_users:
        raise ConfigError(f"IGNORED_USERS names {visible(user)}: nothing is kept of such a user")
    topic = _topic(settings)
    partition = asyncio.run(_send(settings, topic, user))
    receipt = list_name(USER, user)
    if as_json:
        print_json({
            "user_id": user, "topic": topic, "partition": partition,
            "receipt_topic": settings.lists_topic, "receipt_key": receipt,
        })  # fmt: skip
        return
    typer.echo(
        visible(
            f"{topic}[{partition}] has the event; a record without a value under {receipt} on "
            f"{settings.lists_topic} is the receipt"
        )
    )


def _topic(settings: Settings) -> str:
    for topic in settings.event_topics:
        if settings.event_formats.get(topic, FLAT.name) in {FLAT.name, AUTO}:
            return topic
    raise ConfigError("EVENT_FORMATS reads no event topic as flat or auto, and this event is flat")


async def _send(settings: Settings, topic: str, user: str) -> int:
    """Send the event; return the partition that has it."""
    key = user.encode()
    with one_line_errors():
        (partition,) = partitions_of([key], (await existing_partitions(settings, [topic]))[topic])
        producer = Producer(settings)
        await producer.start()
        try:
            event = orjson.dumps({"type": FORGET, "user_id": user})
            await producer.deliver({(topic, partition): [Outgoing(event, key)]})
        finally:
            await producer.stop()
    return partition
