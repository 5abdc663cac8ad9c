"""`streamapp deadletters show`: dead letters in full."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import typer

from streamapp.cli.deadletters.arguments import Address, address_of, choice_of, letter_topics
from streamapp.cli.deadletters.letter_store import LetterStore
from streamapp.cli.deadletters.letter_text import as_json as letter_as_json
from streamapp.cli.deadletters.letter_text import lines_about, readable
from streamapp.cli.session import one_line_errors
from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.deadletters.census import Census
from streamapp.deadletters.choice import Choice
from streamapp.deadletters.letter import Letter
from streamapp.errors import ConfigError
from streamapp.printable import visible


def show_letters(
    addresses: Sequence[str],
    codes: Sequence[str],
    topic: str,
    since: str,
    limit: int,
    as_json: bool,
) -> None:
    """Print the letters at addresses, or the newest ones of a choice, the newest first.

    Args:
        addresses: Addresses as `list` prints them; empty for the newest letters.
        codes: The codes; empty for all.
        topic: A topic of records or letters; "" for all.
        since: The earliest time at which a letter was made; "" for any.
        limit: Most letters that are printed without addresses.
        as_json: Whether to print a line of JSON for each letter.

    Raises:
        ConfigError: an argument is wrong, or no letter lies at an address.
        StreamappError: Kafka fails.

    Memory: one letter at a time.
    """
    settings = load_settings()
    choice, topics = choice_of(codes, since), letter_topics(settings, topic)
    places = [address_of(settings, text, topic) for text in addresses]
    if places and (codes or since):
        raise ConfigError("give addresses, or --code and --since, but not both")
    if places:
        topics = list(dict.fromkeys(place.tp.topic for place in places))
    if not asyncio.run(_show(settings, choice, topics, places, limit, as_json)):
        what = "fits" if codes or since else "lies"
        typer.echo(visible(f"no dead letter {what} in {', '.join(topics)}"), err=as_json)


async def _show(
    settings: Settings,
    choice: Choice,
    topics: Sequence[str],
    places: Sequence[Address],
    limit: int,
    as_json: bool,
) -> int:
    """Print letters; return how many there were."""
    shown = 0
    with one_line_errors():
        store = await LetterStore.open(settings, topics)
        places = places or await _newest(store, choice, limit)
        async with aclosing(store.at(places)) as letters:
            async for letter in letters:
                _print(letter, as_json)
                shown += 1
    return shown


async def _newest(store: LetterStore, choice: Choice, limit: int) -> list[Address]:
    census = Census(limit)
    with progress() as begin:
        async with aclosing(store.letters(None, begin("Reading dead letters"))) as letters:
            async for letter in letters:
                if choice.takes(letter):
                    census.add(letter)
    return [Address(letter.tp, letter.offset) for letter in census.newest]


def _print(letter: Letter, as_json: bool) -> None:
    if as_json:
        print_json(letter_as_json(letter))
        return
    print_table(letter.address, ("what", "value"), lines_about(letter))
    # Outside the table, so that it can be copied as one line.
    if letter.value is not None:
        typer.echo(visible(readable(letter.value)))
