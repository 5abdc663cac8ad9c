"""Decides which dead letters go back to their source topic, and as which message.

A replay sends the record once more, behind everything that its user has done since. So only a
letter that holds a whole record, or an event that says the same alone, goes back. A letter that the
settings of now would refuse again stays where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.interaction_counter import InteractionCounter
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.events.refusals import ENCLOSED, EVENT, LINE
from streamapp.deadletters.headers import REPLAYS
from streamapp.deadletters.letter import Letter
from streamapp.pipelines import extra_kinds
from streamapp.transport.producer import Outgoing

MAX_REPLAYS = 3
"""How often a record may be replayed; after that somebody has to look at it."""


class Objection(NamedTuple):
    """Why a letter is not replayed.

    Attributes:
        reason: One of a small number of names.
        why: The reason for people, and what to do instead.
    """

    reason: str
    why: str


_CATALOGUE = Objection(
    "catalogue",
    "a newer record of the item may have come, and would be replaced; send the item as it is now",
)
_CUT = Objection("cut", "the letter holds only the first bytes of the value; send the record again")
_ENCLOSED = Objection(
    "enclosed",
    "the event lacks what its record says for all of its events; send it again with its envelope",
)
_LINE = Objection(
    "line", "one line of an order names neither user nor type; send an event with the right line"
)
_REST = Objection(
    "rest",
    "other parts of the value have counted, or have letters of their own; send the bad parts alone",
)
_LOOP = Objection(
    "replayed_often",
    f"{REPLAYS} has reached {MAX_REPLAYS}, and the record failed each time; see what it holds",
)
_NO_TOPIC = Objection("no_topic", "EVENT_TOPICS does not name the source topic")
_NO_PARTITION = Objection("no_partition", "the source topic no longer has the partition")
_SKIPPED = Objection(
    "skipped", "EVENT_WEIGHTS has no weight for the type of the event, so it would not count"
)


@dataclass(slots=True)
class _Candidate:
    """The record that a replay would send, as a worker would read it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class ReplayRule:
    """Decides about letters, one by one.

    Args:
        settings: The settings of the workers.
        partitions: The number of partitions of each source topic that exists.
    """

    def __init__(self, settings: Settings, partitions: Mapping[str, int]) -> None:
        self._settings = settings
        self._partitions = partitions
        rules = event_rules(settings)
        self._readers = {topic: EventReader(rules, topic) for topic in settings.event_topics}
        self._projections = [PROJECTIONS[kind] for kind in extra_kinds(settings)]

    def objection(self, letter: Letter, now_s: float) -> Objection | None:
        """Return why a letter is not replayed; None if it is.

        Args:
            letter: The letter, with its whole value.
            now_s: The time of now in seconds, which a record without a time gets.

        Cost: the letter is read as a worker reads a record.
        """
        if letter.source.topic == self._settings.catalogue_topic:
            return _CATALOGUE
        if letter.source.topic not in self._readers:
            return _NO_TOPIC
        if letter.source.partition >= self._partitions.get(letter.source.topic, 0):
            return _NO_PARTITION
        if letter.whole_bytes is not None:
            return _CUT
        if letter.part not in {"", EVENT} or letter.unnamed:
            return {ENCLOSED: _ENCLOSED, LINE: _LINE}.get(letter.part, _REST)
        return _LOOP if letter.replays >= MAX_REPLAYS else self._refused_again(letter, now_s)

    def _refused_again(self, letter: Letter, now_s: float) -> Objection | None:
        message = replay_of(letter)
        now_ms = int(now_s * 1000)
        record = _Candidate(
            letter.source_offset,
            now_ms if message.timestamp_ms is None else message.timestamp_ms,
            message.key,
            message.value,
            list(message.headers),
        )
        counter, beside = InteractionCounter(), InteractionCounter()
        refusals = self._readers[letter.source.topic].read(
            [record],
            counter,
            [(projection, beside) for projection in self._projections],
        )
        if counter.interactions:
            # Of several events some may be refused again; they become letters once more.
            return None
        if refusals:
            first = refusals[0]
            return Objection(
                f"refused_again:{first.code}",
                f"a worker with these settings would refuse it again: {first.message}",
            )
        return _SKIPPED


def replay_of(letter: Letter) -> Outgoing:
    """Return the message that replays a letter: key, value, headers and time of its record.

    A record without a time gets the time of sending. So does an event that was too far ahead of its
    record, because its time may have come.
    """
    dated = letter.source_ms >= 0 and letter.code != "ts_out_of_range"
    return Outgoing(
        letter.value,
        letter.key,
        letter.source_ms if dated else None,
        [*letter.headers, (REPLAYS, str(letter.replays + 1).encode())],
    )
