"""A Faust agent that does nothing: what Faust alone costs. Prints its rate in events a second."""

import os
import sys
import time
from collections.abc import AsyncIterable
from typing import Any

import faust

broker, topics, group, expected = sys.argv[1], sys.argv[2].split(","), sys.argv[3], int(sys.argv[4])

app = faust.App(
    group,
    broker=broker,
    store="memory://",
    value_serializer="raw",
    key_serializer="raw",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    worker_redirect_stdouts=False,
    stream_buffer_maxsize=65_536,
    broker_max_poll_records=5_000,
    broker_session_timeout=6.0,
    broker_heartbeat_interval=1.0,
)
source = app.topic(*topics, value_type=bytes, key_type=bytes)


@app.agent(source)
async def empty(stream: AsyncIterable[Any]) -> None:
    """Read batches and drop them."""
    began_at, seen = 0.0, 0
    async for batch in stream.take(2000, within=0.05):  # type: ignore[attr-defined]
        began_at = began_at or time.monotonic()
        seen += len(batch)
        if seen >= expected:
            sys.stdout.write(f"rate {seen / (time.monotonic() - began_at)}\n")
            sys.stdout.flush()
            os._exit(0)


if __name__ == "__main__":
    faust.Worker(app, loglevel="error").execute_from_commandline()
