"""The history stage without a partition task: forgotten users, and blobs ahead of the position."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.histories.stage import HistoryStage
from streamapp.core.events.interaction_sink import NOBODY
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.delta import decode_deltas
from streamapp.core.messages.interaction_batch import encode_idle
from streamapp.store.slot.head import Head
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets, RecordBatch
from streamapp.worker.warm import warm
from tests.component.harness.stages import STATE_ID, Broker, context, cut, events, record

TS = 1.7e9
WITHIN_S = 20.0


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Load the kernels first: compiling one takes longer than a list lives here."""
    warm()


async def opened(redis: Redis, broker: Broker, **chosen: Any) -> tuple[HistoryStage, TP]:
    """Return a stage that has opened its partition."""
    around = await context(redis, broker, **chosen)
    tp = TP(around.settings.interactions_topic, 0)
    return await HistoryStage.open(around, {tp: Offsets(0, 9, None)}, lists_suspect=False), tp


async def until(stage: HistoryStage, condition: Callable[[], Awaitable[Any]]) -> None:
    """Let a stage work until a condition holds."""
    deadline = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < deadline
        await stage.work(busy=False)
        await asyncio.sleep(0.002)


async def test_a_history_that_is_ahead_is_not_forgotten_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user came back behind the cut that forgets, with a record of the very same time."""
    broker = Broker()
    stage, tp = await opened(redis, broker, forget_after=100.0)
    await stage.apply([RecordBatch(tp, [record(0, cut(1, (0, "u", "a", TS)))], 0)])
    behind = [
        record(1, *encode_idle(STATE_ID, [("u", TS)])),
        record(2, cut(2, (1, "u", "a", TS))),
    ]

    async def die(_: Slot, expected: int, head: Head, items: int = 0) -> None:
        raise RuntimeError(expected, head, items)

    with monkeypatch.context() as patched:
        patched.setattr(Slot, "commit", die)
        with pytest.raises(RuntimeError):
            await stage.apply([RecordBatch(tp, behind, 0)])
    await stage.close()
    ahead = await redis.get("s:{u0}:b:u")
    assert ahead is not None
    assert len(ahead) > 8

    stage, tp = await opened(redis, broker, forget_after=100.0)
    await stage.apply([RecordBatch(tp, behind, 0)])
    assert await redis.get("s:{u0}:b:u") == ahead
    await stage.close()


async def trends(redis: Redis) -> None:
    """Let one item be the trending list."""
    trending = {"v": 1, "kind": "trending", "id": "", "seq": 1, "as_of": TS}
    await redis.set("l:trending", orjson.dumps({**trending, "items": [{"id": "t", "score": 1.0}]}))


async def shown(redis: Redis) -> Sequence[str]:
    """Return the items of the user's list."""
    value = await redis.get("l:user:u")
    return [] if value is None else [one["id"] for one in orjson.loads(value)["items"]]


async def test_a_user_who_is_forgotten_without_a_list_gets_none(redis: Redis) -> None:
    """A user who was long gone is no reason to publish trending items."""
    await trends(redis)
    broker = Broker()
    stage, tp = await opened(redis, broker, forget_after=100.0, user_list_ttl=1)

    async def was_listed() -> bool:
        return any(
            one.key == b"user:u" and one.value
            for (topic, _), some in broker.taken.items()
            for one in some
            if topic == "recommendations"
        )

    async def gone() -> bool:
        return not await redis.hlen("s:{u0}:audience")

    await stage.apply([RecordBatch(tp, [record(0, cut(1, (0, "u", "a", TS)))], 0)])
    await until(stage, was_listed)
    await until(stage, gone)
    await stage.apply([RecordBatch(tp, [record(1, *encode_idle(STATE_ID, [("u", TS)]))], 0)])
    assert await gone()
    await stage.finish()
    assert not await shown(redis)
    await stage.close()


async def test_a_user_who_is_forgotten_with_a_list_has_it_no_longer_for_that(redis: Redis) -> None:
    """It ends at the time after the user's last event."""
    await trends(redis)
    broker, chosen = Broker(), {"forget_after": 100.0, "user_list_ttl": 1_000}
    stage, tp = await opened(redis, broker, **chosen)
    await stage.apply([RecordBatch(tp, [record(0, cut(1, (0, "u", "t", TS)))], 0)])
    await stage.finish()
    assert not await shown(redis)
    # As if that had been a while ago.
    ends = int(time.time()) + 500
    await redis.hset("s:{u0}:audience", "u", ends)
    await stage.close()
    stage, tp = await opened(redis, broker, **chosen)

    await stage.apply([RecordBatch(tp, [record(1, *encode_idle(STATE_ID, [("u", TS)]))], 0)])
    await stage.finish()
    assert await shown(redis) == ["t"]
    assert await redis.hget("s:{u0}:audience", "u") == str(ends).encode()
    assert ends <= await redis.expiretime("l:user:u") < ends + 400
    await stage.close()


async def test_histories_are_not_read_while_the_position_moves(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be ahead of it, and left out, or the position would seem to be another owner's."""
    stage, tp = await opened(redis, Broker())
    held, go_on, commit = asyncio.Event(), asyncio.Event(), Slot.commit

    async def hold(slot: Slot, *args: Any) -> None:
        held.set()
        await go_on.wait()
        await commit(slot, *args)

    monkeypatch.setattr(Slot, "commit", hold)
    batch = RecordBatch(tp, [record(0, cut(1, (0, "u", "a", TS)))], 0)
    applying = asyncio.create_task(stage.apply([batch]))
    await held.wait()
    reading = asyncio.create_task(stage._store.read(["u"]))
    assert not (await asyncio.wait([reading], timeout=0.05))[0]
    go_on.set()
    await applying
    assert set(await reading) == {"u"}
    await stage.close()


@pytest.mark.parametrize(
    ("repeats", "added"),
    [("daily", {"a": 6.0 + 2.0, "b": 1.0}), ("all", {"a": 7.0 + 2.0, "b": 2.0})],
)
async def test_a_repeat_adds_once_a_day(
    redis: Redis, repeats: str, added: dict[str, float]
) -> None:
    """Or if it raises the rating; those of a batch before count too, and again behind a crash."""
    day = 86_400.0 * 19_676
    some = [
        events(2, (0, "u", "a", "click", day), (1, "u", "a", "click", day + 1)),
        events(
            5,
            (2, "u", "a", "purchase", day + 2),
            (3, "u", "b", "click", day),
            (4, "u", "b", "click", day),
        ),
        events(6, (5, "u", "a", "click", day + 86_400)),
    ]
    broker = Broker()
    stage, tp = await opened(redis, broker, trending_repeats=repeats)
    for at, value in enumerate(some):
        await stage.apply([RecordBatch(tp, [record(at, value)], 0)])
    assert popularity(broker, day) == pytest.approx(added, rel=1e-4)
    await stage.close()


def popularity(broker: Broker, at: float) -> dict[str, float]:
    """Return what all deltas add to items, as of a time in seconds."""
    registry, translator, added = Registry(), IdTranslator(), dict[str, float]()
    for one in broker.taken["streamapp-deltas", 0]:
        for delta in decode_deltas(one.key, one.value):
            columns = delta.blocks(registry, translator).increments[:3]
            for item, mass, exponent in zip(*columns, strict=True):
                name = registry.ids[item]
                value = mass * 2.0 ** (exponent - at / 86_400)
                added[name] = added.get(name, 0.0) + float(value)
    return added


async def test_an_interaction_of_nobody_is_popularity_and_no_history(redis: Redis) -> None:
    """Alone, beside those of users, and again behind a stored position."""
    broker = Broker()
    stage, tp = await opened(redis, broker)
    some = [cut(1, (0, NOBODY, "a", TS)), cut(3, (1, "u", "b", TS), (2, NOBODY, "b", TS + 1))]
    await stage.apply([RecordBatch(tp, [record(at, value) for at, value in enumerate(some)], 0)])
    taken = broker.taken["streamapp-deltas", 0]
    deltas = [delta for one in taken for delta in decode_deltas(one.key, one.value)]
    registry, translator = Registry(), IdTranslator()
    blocks = [delta.blocks(registry, translator) for delta in deltas]
    assert popularity(broker, TS) == pytest.approx({"a": 1.0, "b": 2.0}, rel=1e-4)
    assert [len(one.changed) for one in blocks] == [0, 1]
    assert await redis.get("s:{u0}:b:u") is not None
    assert await redis.get("s:{u0}:b:") is None
    assert stage.position(tp) == 2
    await stage.close()
