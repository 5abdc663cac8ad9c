"""The dead-letter topics as commands read them: where letters lie, and one after the other."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from streamapp.cli.deadletters.arguments import Address
from streamapp.cli.terminal.console import Step
from streamapp.config.settings import Settings
from streamapp.deadletters.letter import Letter, read_letter
from streamapp.errors import ConfigError, StreamappError
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP
from streamapp.transport.topic_scan import Span, scan
from streamapp.transport.topics import administration, partition_counts


class LetterStore:
    """The dead-letter topics that a command is about, as they were when it began.

    A letter that is made later, perhaps because of the command, is not read.

    Attributes:
        partitions: The number of partitions of every topic that Kafka has.
        missing: The topics that Kafka does not have.
        others: How many records were read that no worker wrote.
    """

    def __init__(
        self, settings: Settings, partitions: dict[str, int], missing: Sequence[str]
    ) -> None:
        self._settings = settings
        self._spans: dict[TP, Span] = {}
        self.partitions = partitions
        self.missing = missing
        self.others = 0

    @classmethod
    async def open(cls, settings: Settings, topics: Sequence[str]) -> "LetterStore":
        """Ask Kafka where the letters of topics lie.

        Raises:
            ConfigError: Kafka cannot be reached, or has none of the topics.
            StreamappError: Kafka fails.
        """
        async with administration(settings) as admin:
            partitions = await partition_counts(admin)
        missing = [topic for topic in topics if topic not in partitions]
        if len(missing) == len(topics):
            raise ConfigError(
                f"kafka has no topic {', '.join(missing)}; make the topics with `streamapp topics`"
            )
        store = cls(settings, partitions, missing)
        tps = [
            TP(topic, number)
            for topic in topics
            if topic not in missing
            for number in range(partitions[topic])
        ]
        offsets = await read_offsets(settings, tps, {})
        for tp in tps:
            store._spans[tp] = Span(tp, offsets[tp].beginning, offsets[tp].end)
        return store

    @property
    def topics(self) -> list[str]:
        """The topics that there are."""
        return list(dict.fromkeys(tp.topic for tp in self._spans))

    async def letters(self, after: Address | None, tell: Step) -> AsyncGenerator[Letter, None]:
        """Yield all letters: topic by topic, partition by partition, the oldest first.

        Args:
            after: The letter behind which to begin; None for the first one.
            tell: Called with how many records were read, and how many there are.

        Raises:
            ConfigError: `after` lies in no partition of the topics.
        """
        spans = list(self._spans.values())
        if after is not None:
            if after.tp not in self._spans:
                raise ConfigError(
                    f"--after {after.tp.topic}:{after.tp.partition}:{after.offset}: the chosen "
                    f"topics, {', '.join(self.topics)}, have no such partition"
                )
            spans = spans[[span.tp for span in spans].index(after.tp) :]
            spans[0] = spans[0]._replace(start=max(spans[0].start, after.offset + 1))
        total, before = sum(max(0, span.end - span.start) for span in spans), 0
        async with aclosing(scan(self._settings, spans)) as parts:
            async for span, records, position in parts:
                for record in records:
                    letter = read_letter(span.tp, record)
                    if letter is None:
                        self.others += 1
                    else:
                        yield letter
                tell(before + position - span.start, total)
                if position >= span.end:
                    before += span.end - span.start

    async def at(self, addresses: Sequence[Address]) -> AsyncGenerator[Letter, None]:
        """Yield the letters at addresses, in their order.

        Raises:
            ConfigError: no letter lies at an address.
        """
        spans = []
        for tp, offset in addresses:
            known = self._spans.get(tp, Span(tp, 0, 0))
            if not known.start <= offset < known.end:
                has_any = known.start < known.end
                raise ConfigError(
                    f"no dead letter lies at {tp.topic}:{tp.partition}:{offset}; the partition "
                    f"holds {f'{known.start} to {known.end - 1}' if has_any else 'nothing'}"
                )
            spans.append(Span(tp, offset, offset + 1))
        async with aclosing(scan(self._settings, spans)) as parts:
            async for span, records, _ in parts:
                letter = read_letter(span.tp, records[0]) if records else None
                if letter is None:
                    raise StreamappError(
                        f"{span.tp.topic}:{span.tp.partition}:{span.start} is no dead letter of "
                        "this app"
                    )
                yield letter
