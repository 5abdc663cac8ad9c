"""Asks Kafka when the events of a log file were sent."""

import asyncio
import math
from contextlib import aclosing

from streamapp.audit.event_bounds import EventBounds
from streamapp.cli.session import one_line_errors
from streamapp.config.settings import Settings
from streamapp.core.events.rules import EventRules
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP
from streamapp.transport.topic_scan import Span, scan
from streamapp.transport.topics import administration, partition_counts

_FIRST_RECORDS = 100
"""Offsets in which the first record of a partition is looked for; transactions leave gaps."""

_MARGIN_S = 30 * 86_400.0
"""How far clocks of trackers may be behind that of the tracker of the first record."""


def event_bounds(settings: Settings, rules: EventRules, now_ts: float) -> tuple[float, EventBounds]:
    """Return up to which time no event was refused for its time, and the bounds of later ones.

    Args:
        settings: The settings.
        rules: How the app reads events.
        now_ts: The time of now in seconds.

    Raises:
        StreamappError: Kafka fails.

    Cost: that of the first record of each partition, and of all records of events once an event
    is later than that.
    """

    def load(bounds: EventBounds) -> None:
        asyncio.run(_read_all(settings, bounds))

    first_ts = asyncio.run(_first_time(settings))
    certain_ts = min(first_ts - _MARGIN_S, now_ts) + settings.max_ahead_s
    return certain_ts, EventBounds(rules, now_ts, load)


async def _spans(settings: Settings) -> list[Span]:
    async with administration(settings) as admin:
        counts = await partition_counts(admin)
    tps = [
        TP(topic, number)
        for topic in settings.event_topics
        for number in range(counts.get(topic, 0))
    ]
    offsets = await read_offsets(settings, tps, {})
    spans = [Span(tp, offsets[tp].beginning, offsets[tp].end) for tp in tps]
    return [span for span in spans if span.start < span.end]


async def _first_time(settings: Settings) -> float:
    """Return the earliest time among the first records of all partitions, in seconds.

    It is infinity if there are no records, and minus infinity if a partition does not say.
    """
    times: dict[TP, float] = {}
    with one_line_errors():
        spans = [
            span._replace(end=min(span.end, span.start + _FIRST_RECORDS))
            for span in await _spans(settings)
        ]
        async with aclosing(scan(settings, spans)) as parts:
            async for span, records, _ in parts:
                if records and span.tp not in times:
                    first_ms = records[0].timestamp
                    times[span.tp] = first_ms / 1000 if first_ms >= 0 else -math.inf
    return min((times.get(span.tp, -math.inf) for span in spans), default=math.inf)


async def _read_all(settings: Settings, bounds: EventBounds) -> None:
    with one_line_errors():
        async with aclosing(scan(settings, await _spans(settings))) as parts:
            async for span, records, _ in parts:
                bounds.read(span.tp.topic, records)
