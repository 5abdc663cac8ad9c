"""What the arguments of `streamapp deadletters` mean."""

import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import CATALOGUE_CODES
from streamapp.core.events.refusals import CODES
from streamapp.core.events.values.timestamps import parse_timestamp
from streamapp.deadletters.choice import Choice
from streamapp.errors import BadEventError, ConfigError
from streamapp.transport.records import TP

_AGO = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ADDRESS = re.compile(r"(?:([^:]+):)?(\d{1,9}):(\d{1,18})")


class Address(NamedTuple):
    """Where a letter lies: the partition of its topic, and the offset."""

    tp: TP
    offset: int


def choice_of(codes: Sequence[str], since: str) -> Choice:
    """Return the choice that `--code` and `--since` make.

    Raises:
        ConfigError: no letter has such a code, or `since` is no time.
    """
    known = CODES | CATALOGUE_CODES
    if unknown := [code for code in codes if code not in known]:
        raise ConfigError(
            f"--code {unknown[0]}: no dead letter has it; the codes are {', '.join(known)}"
        )
    return Choice(frozenset(codes), _since_ms(since))


def letter_topics(settings: Settings, topic: str) -> list[str]:
    """Return the dead-letter topics that `--topic` chooses: one, or all.

    Args:
        settings: The settings.
        topic: A topic of records or of their letters; "" for all.

    Raises:
        ConfigError: the settings do not name the topic.
    """
    sources = [*settings.event_topics, *filter(None, [settings.catalogue_topic])]
    letters = {source: source + settings.dead_letter_suffix for source in sources}
    if not topic:
        return list(letters.values())
    if topic in letters:
        return [letters[topic]]
    if topic in letters.values():
        return [topic]
    raise ConfigError(f"{topic} is no topic with dead letters: it is one of {', '.join(sources)}")


def address_of(settings: Settings, text: str, topic: str) -> Address:
    """Return the address that a text means: `TOPIC:PARTITION:OFFSET`.

    The topic may be left out where only one is chosen.

    Raises:
        ConfigError: the text is no address, or its topic is not known.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"{text} is no address: write TOPIC:PARTITION:OFFSET, as `streamapp deadletters list` "
            "does"
        )
    topics = letter_topics(settings, match[1] or topic)
    if len(topics) > 1:
        raise ConfigError(f"{text} names no topic: write it in front, or give --topic")
    return Address(TP(topics[0], int(match[2])), int(match[3]))


def _since_ms(text: str) -> int:
    if not text:
        return -1
    if match := _AGO.fullmatch(text):
        return int((time.time() - int(match[1]) * _SECONDS[match[2]]) * 1_000)
    try:
        seconds = parse_timestamp(text)
    except BadEventError:
        seconds = None
    if seconds is None or abs(seconds) > 1e11:
        raise ConfigError(
            f"--since {text}: write how long ago, such as 90s, 15m, 2h or 7d, or an ISO 8601 date"
        )
    return int(seconds * 1_000)
