"""`streamapp topics`: makes the topics that the app needs."""

import asyncio

from streamapp.cli.session import one_line_errors
from streamapp.cli.terminal.console import print_json, print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.transport.topics import Topic, administration, ensure_topics


def make_topics(as_json: bool) -> None:
    """Make the topics that are missing, and print all that are needed."""
    topics = asyncio.run(_ensure(load_settings()))
    lines = [
        {"topic": topic.name, "partitions": count, "purpose": topic.purpose, "made": made}
        for topic, count, made in topics
    ]
    if as_json:
        print_json(lines)
        return
    print_table(
        "Topics",
        ("topic", "partitions", "purpose", ""),
        (
            (topic.name, count, topic.purpose, "made" if made else "exists")
            for topic, count, made in topics
        ),
    )


async def _ensure(settings: Settings) -> list[tuple[Topic, int, bool]]:
    with one_line_errors():
        async with administration(settings) as admin:
            return await ensure_topics(admin, settings)
