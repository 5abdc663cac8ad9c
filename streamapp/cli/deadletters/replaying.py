"""`streamapp deadletters replay`: sends records back to the topics that they came from."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import typer

from streamapp.cli.deadletters.arguments import Address, address_of, choice_of, letter_topics
from streamapp.cli.deadletters.letter_store import LetterStore
from streamapp.cli.deadletters.letter_text import moment
from streamapp.cli.session import one_line_errors
from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.deadletters.choice import Choice
from streamapp.deadletters.letter import Letter
from streamapp.deadletters.replay_outcome import ReplayOutcome
from streamapp.deadletters.replay_rule import ReplayRule, replay_of
from streamapp.errors import ConfigError
from streamapp.printable import visible
from streamapp.transport.producer import Outgoing, Producer

_BATCH_BYTES = 1_000_000
"""Bytes of records that are collected before they are sent."""

_RECORD_BYTES = 100
"""Bytes that a record counts beside its own."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What to replay.

    Attributes:
        addresses: Addresses of letters; empty to choose them by the rest.
        codes: The codes; empty for all.
        topic: A topic of records or letters; "" for all.
        since: The earliest time at which a letter was made; "" for any.
        after: The address behind which to begin; "" for the first letter.
        limit: Most records that are sent.
        dry_run: Whether nothing is sent.
    """

    addresses: Sequence[str]
    codes: Sequence[str]
    topic: str
    since: str
    after: str
    limit: int
    dry_run: bool


def replay_letters(replay: Replay, as_json: bool) -> None:
    """Send records back to their source topics; print how many, and which letters stay and why.

    A record goes to the partition that it came from, behind all that was sent since. Its header
    `replay.count` is one higher than before.

    Raises:
        ConfigError: an argument is wrong, no letter lies at an address, or Kafka refuses a record.
        StreamappError: Kafka fails.

    Cost: letters are read in order until the limit. The memory is that of a megabyte of records,
    or one record, and of 16 bytes and some overhead for each record that is sent.
    """
    settings = load_settings()
    choice, topics = choice_of(replay.codes, replay.since), letter_topics(settings, replay.topic)
    places = [address_of(settings, text, replay.topic) for text in replay.addresses]
    after = address_of(settings, replay.after, replay.topic) if replay.after else None
    if places and (replay.codes or replay.since or after):
        raise ConfigError("give addresses, or --code, --since and --after, but not both")
    if places:
        topics = list(dict.fromkeys(place.tp.topic for place in places))
    outcome, is_cut_short = asyncio.run(_replay(settings, replay, choice, topics, places, after))
    if as_json:
        print_json(_report(outcome, is_cut_short=is_cut_short, dry_run=replay.dry_run))
    elif outcome.last:
        _print(outcome, is_cut_short=is_cut_short, dry_run=replay.dry_run)
    else:
        what = "fits" if replay.codes or replay.since or after else "lies"
        typer.echo(visible(f"no dead letter {what} in {', '.join(topics)}"))


async def _replay(
    settings: Settings,
    replay: Replay,
    choice: Choice,
    topics: Sequence[str],
    places: Sequence[Address],
    after: Address | None,
) -> tuple[ReplayOutcome, bool]:
    """Replay letters; return the outcome, and whether the limit ended it."""
    outcome = ReplayOutcome()
    with one_line_errors(), progress() as begin:
        store = await LetterStore.open(settings, topics)
        rule = ReplayRule(settings, store.partitions)
        step = begin("Reading dead letters")
        letters = store.at(places) if places else store.letters(after, step)
        producer = Producer(settings)
        if not replay.dry_run:
            await producer.start()
        try:
            async with aclosing(_sendable(letters, choice, rule, outcome, replay.limit)) as some:
                waiting: dict[tuple[str, int], list[Outgoing]] = {}
                size = 0
                async for letter in some:
                    if replay.dry_run:
                        continue
                    message = replay_of(letter)
                    target = letter.source.topic, letter.source.partition
                    waiting.setdefault(target, []).append(message)
                    size += _size(message)
                    if size >= _BATCH_BYTES:
                        await producer.deliver(waiting)
                        waiting, size = {}, 0
                await producer.deliver(waiting)
        finally:
            await producer.stop()
    return outcome, outcome.sent >= replay.limit


async def _sendable(
    letters: AsyncGenerator[Letter, None],
    choice: Choice,
    rule: ReplayRule,
    outcome: ReplayOutcome,
    limit: int,
) -> AsyncGenerator[Letter, None]:
    """Yield the chosen letters that are to be sent, up to a limit; count all in the outcome."""
    async with aclosing(letters):
        async for letter in letters:
            if choice.takes(letter) and outcome.add(letter, rule.objection(letter, time.time())):
                yield letter
                if outcome.sent >= limit:
                    return


def _size(message: Outgoing) -> int:
    headers = sum(len(name) + len(text or b"") for name, text in message.headers)
    return _RECORD_BYTES + len(message.value or b"") + len(message.key or b"") + headers


def _print(outcome: ReplayOutcome, *, is_cut_short: bool, dry_run: bool) -> None:
    if outcome.sent:
        print_table(
            f"{'To be replayed' if dry_run else 'Replayed'}: {outcome.sent:,}",
            ("to", "code", "replay.count", "records"),
            ((*name, count) for name, count in outcome.records.items()),
        )
    if outcome.kept:
        print_table(
            f"Not replayed: {outcome.kept:,}",
            ("reason", "letters", "example", "why"),
            (
                (reason, one.letters, one.example, one.why)
                for reason, one in outcome.reasons.items()
            ),
        )
    if is_cut_short:
        typer.echo(visible(f"--limit is reached; go on with --after {outcome.last}"))
    elif outcome.sent and not dry_run:
        typer.echo(
            "the letters stay in their topic; the next time, pass over them with --since "
            f"{moment(outcome.newest_ms + 1)}"
        )


def _report(outcome: ReplayOutcome, *, is_cut_short: bool, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "sent": outcome.sent,
        "not_sent": outcome.kept,
        "records": [
            {"topic": topic, "code": code, "replay_count": replays, "records": count}
            for (topic, code, replays), count in outcome.records.items()
        ],
        "reasons": [
            {"reason": reason, "letters": one.letters, "example": one.example, "why": one.why}
            for reason, one in outcome.reasons.items()
        ],
        "go_on_after": outcome.last if is_cut_short else None,
        "next_since": moment(outcome.newest_ms + 1) if outcome.last else None,
    }
