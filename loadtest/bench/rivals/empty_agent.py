"""A Faust agent that does nothing: the cost of Faust alone."""

from collections.abc import AsyncIterable
from typing import Any

import faust

from loadtest.bench.program import heard
from loadtest.bench.rivals.lap import Lap


def create_app(broker_url: str, topics: list[str], group: str, records: int) -> faust.App:
    """Return an app whose one agent reads batches of `records` records and drops them."""
    app = faust.App(
        group,
        broker=broker_url,
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=65_536,
        broker_max_poll_records=5_000,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
    )
    source = app.topic(*topics, value_type=bytes, key_type=bytes)
    lap = Lap(records)

    async def empty(stream: AsyncIterable[Any]) -> None:
        async for batch in stream.take(2000, within=0.05):  # type: ignore[attr-defined]
            lap.begin(len(batch))
            if lap.count(len(batch)):
                lap.finish()

    app.agent(source)(empty)
    return app


if __name__ == "__main__":
    spec = heard()
    app = create_app(spec["broker_url"], [spec["topic"]], spec["group"], spec["records"])
    faust.Worker(app, loglevel="error").execute_from_commandline()
