"""`streamapp deadletters list`: how many dead letters there are, why, and the newest ones."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import typer

from streamapp.cli.deadletters.arguments import choice_of, letter_topics
from streamapp.cli.deadletters.letter_store import LetterStore
from streamapp.cli.deadletters.letter_text import excerpt, minute, moment
from streamapp.cli.session import one_line_errors
from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.deadletters.census import Census
from streamapp.deadletters.choice import Choice
from streamapp.printable import visible


def list_letters(codes: Sequence[str], topic: str, since: str, limit: int, as_json: bool) -> None:
    """Print the number of letters by source topic and code, and the newest ones.

    Args:
        codes: The codes; empty for all.
        topic: A topic of records or letters; "" for all.
        since: The earliest time at which a letter was made; "" for any.
        limit: Most letters that are named one by one.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: an argument is wrong, or Kafka has none of the topics.
        StreamappError: Kafka fails.

    Cost: the topics are read once. The memory does not grow with them.
    """
    settings = load_settings()
    choice, topics = choice_of(codes, since), letter_topics(settings, topic)
    store, census = asyncio.run(_count(settings, choice, topics, limit))
    if as_json:
        print_json(_report(store, census))
        return
    for name in store.missing:
        typer.echo(visible(f"kafka has no topic {name}; `streamapp topics` makes it"))
    if store.others:
        typer.echo(f"{store.others:,} other records there are no dead letters of this app")
    if not census.letters:
        what = "fits" if codes or since else "lies"
        typer.echo(visible(f"no dead letter {what} in {', '.join(store.topics)}"))
        return
    print_table(
        f"Dead letters: {census.letters:,}",
        ("source topic", "code", "letters", "newest, UTC", "example"),
        (
            (one.topic, one.code, one.letters, minute(one.newest.made_ms), one.newest.address)
            for one in census.groups
        ),
    )
    print_table(
        "The newest",
        ("address", "code", "replays", "message", "value"),
        (
            (one.address, one.code, one.replays, one.message, excerpt(one.value))
            for one in census.newest
        ),
    )


def _report(store: LetterStore, census: Census) -> dict[str, object]:
    return {
        "letters": census.letters,
        "groups": [
            {
                "topic": one.topic,
                "code": one.code,
                "letters": one.letters,
                "newest": moment(one.newest.made_ms),
                "example": one.newest.address,
            }
            for one in census.groups
        ],
        "newest": [
            {
                "address": one.address,
                "made": moment(one.made_ms),
                "code": one.code,
                "message": one.message,
                "replays": one.replays,
            }
            for one in census.newest
        ],
        "other_records": store.others,
        "missing_topics": list(store.missing),
    }


async def _count(
    settings: Settings, choice: Choice, topics: Sequence[str], limit: int
) -> tuple[LetterStore, Census]:
    census = Census(limit)
    with one_line_errors(), progress() as begin:
        store = await LetterStore.open(settings, topics)
        async with aclosing(store.letters(None, begin("Reading dead letters"))) as letters:
            async for letter in letters:
                if choice.takes(letter):
                    census.add(letter)
    return store, census
