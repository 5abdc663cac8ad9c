"""The same job on Quix Streams, in the form of its own documentation.

Histories are state by user; their changes are re-keyed by item with `group_by`; rows are state by
item; lists go to Redis in batches through a sink, each once for a checkpoint. Guarantees are at
least once. A row's shard does not know the norms of other items, so these are in Redis.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
from quixstreams import Application, State
from quixstreams.models.topics import Topic, TopicAdmin, TopicManager
from quixstreams.sinks.base import BatchingSink, SinkBatch
from redis import Redis

from loadtest.bench.program import heard
from loadtest.bench.rivals.counting import apply, ranked
from loadtest.bench.rivals.lap import Lap

_COMMIT_INTERVAL_S = 1.0
"""A list is as old as a checkpoint; the default of 5 s would be cheaper and staler."""


class Topics(TopicManager):  # type: ignore[misc]
    """Topics on a broker that does not report their retention, as the embedded one."""

    def _fetch_topic(self, topic: Topic) -> Topic:
        found = super()._fetch_topic(topic)
        found.broker_config.extra_config.setdefault("retention.ms", "-1")
        return found


class Job:
    """Both stages and their progress.

    Attributes:
        changes: Changes of dots that the first stage sent.
    """

    def __init__(self, lap: Lap, weights: Mapping[str, float]) -> None:
        self.changes = 0
        self._lap = lap
        self._weights = weights
        self._full = False

    @property
    def counted(self) -> bool:
        """Whether the first stage has done all the events that count."""
        return self._full

    def histories(self, event: dict[str, Any], state: State) -> list[dict[str, Any]]:
        """Apply an event to its user's history; return the changes. Later events do not count."""
        if self._full:
            return []
        self._lap.begin()
        history = state.get("history", {})
        changes = [
            {"item": item, "other": other, "by": by}
            for item, other, by in apply(history, event, self._weights)
        ]
        state.set("history", history)
        self.changes += len(changes)
        self._full = self._lap.count(1)
        return changes

    @staticmethod
    def rows(change: dict[str, Any], state: State) -> dict[str, Any]:
        """Apply a change to its item's row, and return the row."""
        row: dict[str, Any] = state.get("row", {"own": 0, "dots": {}})
        item, other, by = change["item"], change["other"], change["by"]
        if item == other:
            row["own"] += by
        else:
            row["dots"][other] = row["dots"].get(other, 0) + by
        state.set("row", row)
        return {"item": item, **row}


class Lists(BatchingSink):  # type: ignore[misc]
    """Writes the newest row of each item as a list, and ends the lap with the last change."""

    def __init__(self, redis: Redis, prefix: str, job: Job, lap: Lap) -> None:
        super().__init__()
        self._redis, self._prefix, self._job, self._lap = redis, prefix, job, lap
        self._written = 0

    def write(self, batch: SinkBatch) -> None:
        """Write a batch."""
        rows = {element.value["item"]: element.value for element in batch}
        norms = f"{self._prefix}:norms"
        self._redis.hset(norms, mapping={item: row["own"] for item, row in rows.items()})
        names = sorted({*rows, *(other for row in rows.values() for other in row["dots"])})
        found: Any = self._redis.hmget(norms, names)
        sums = {name: int(own or 0) for name, own in zip(names, found, strict=True)}
        self._redis.mset({
            f"{self._prefix}:recs:item:{item}": orjson.dumps(
                {"items": ranked(row["dots"], row["own"], sums)}
            )
            for item, row in rows.items()
        })  # fmt: skip
        self._written += batch.size
        if self._job.counted and self._written >= self._job.changes:
            self._lap.finish()


def main(spec: dict[str, Any]) -> None:
    """Run the job until the events that count are in the lists."""
    broker = spec["broker_url"].removeprefix("kafka://")
    app = Application(
        broker_address=broker,
        topic_manager=Topics(
            topic_admin=TopicAdmin(broker),
            consumer_group=spec["group"],
            auto_create_topics=True,
        ),
        consumer_group=spec["group"],
        auto_offset_reset="earliest",
        commit_interval=_COMMIT_INTERVAL_S,
        state_dir=Path(mkdtemp(dir=Path.cwd())),
        # The embedded broker has no idempotent producers.
        producer_extra_config={"enable.idempotence": False},
        consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000},
        loglevel="WARNING",
    )
    lap = Lap(spec["events"])
    job = Job(lap, spec["weights"])
    lists = Lists(Redis.from_url(spec["redis_url"]), spec["group"], job, lap)
    events = app.dataframe(app.topic(spec["topic"], value_deserializer="json"))
    if spec["arrays"]:
        # A second `group_by` is not allowed, so the array's events go through a topic by hand.
        single = app.topic(f"{spec['group']}-single", value_deserializer="json")
        events.apply(lambda array: array, expand=True).to_topic(
            single, key=lambda event: event["user_id"]
        )
        events = app.dataframe(single)
    changes = events.apply(job.histories, stateful=True, expand=True)
    changes.group_by("item").apply(job.rows, stateful=True).sink(lists)
    app.run()


if __name__ == "__main__":
    main(heard())
