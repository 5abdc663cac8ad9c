"""What a Redis refuses for a while is waited for; a right that is missing is named."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError, StateError
from streamapp.store.lists import lists_of
from streamapp.store.redis.connection import connect, opened
from streamapp.store.redis.health import read_masters
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.head_reader import read_heads
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from tests.servers.cluster import Cluster
from tests.servers.deadline import wait_until
from tests.servers.node import RedisNode

SOON_S = 30.0
KEYS = SlotKeys("s:", "u0")


@pytest.fixture
async def client(node: RedisNode) -> AsyncIterator[Redis]:
    """The client of a worker."""
    async with connect(Settings(_env_file=None, redis_url=node.url)) as made:
        yield made


@pytest.fixture
async def slot(redis: Redis, client: Redis) -> Slot:
    """A slot at position 10, on a server that holds nothing else."""
    await redis.flushall()
    made = Slot(client, KEYS, "g")
    await made.create(10)
    return made


async def waits(
    call: Awaitable[Any], over: Callable[[], Awaitable[Any]], caplog: pytest.LogCaptureFixture
) -> str:
    """Check that a call waits until its cause is over, and return what the worker logs."""
    caplog.set_level(logging.WARNING)
    task = asyncio.ensure_future(call)
    while "redis does not answer, attempt 8" not in caplog.text:
        assert not task.done(), task
        await asyncio.sleep(0.01)
    await over()
    await asyncio.wait_for(task, SOON_S)
    lines = [one for one in caplog.messages if one.startswith("redis does not answer")]
    assert len(lines) <= 3
    return lines[0]


async def test_too_few_replicas_are_waited_for_and_reads_go_on(
    redis: Redis, slot: Slot, caplog: pytest.LogCaptureFixture
) -> None:
    """With `min-replicas-to-write`, a replica that is away stops writes alone."""
    await redis.config_set("min-replicas-to-write", 1)
    assert await slot.blobs.read_at(10, ["a"]) is not None

    async def over() -> None:
        await redis.config_set("min-replicas-to-write", 0)

    assert "NOREPLICAS" in await waits(slot.blobs.put(20, [("a", b"x")]), over, caplog)
    assert await slot.blobs.read(["a"]) == [(20, b"x")]


async def test_a_slow_script_of_another_program_is_waited_for(
    node: RedisNode, redis: Redis, slot: Slot, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile Redis answers BUSY, also to reads."""
    await redis.config_set("busy-reply-threshold", 10)

    async def slow() -> None:
        async with Redis.from_url(node.url) as other:
            with contextlib.suppress(RedisError):
                await other.eval("while true do end", 0)

    script = asyncio.create_task(slow())

    async def over() -> None:
        await redis.script_kill()
        await script

    with contextlib.suppress(RedisError):
        while True:
            await redis.get("k")
    assert "BUSY" in await waits(slot.blobs.put(20, [("a", b"x")]), over, caplog)


@pytest.fixture
def full_disk() -> Iterator[RedisNode]:
    """A Redis that cannot write its snapshots."""
    with RedisNode() as made:
        with made.client() as redis:
            redis.config_set("save", "3600 1000")
            shutil.rmtree(made.folder)
            redis.bgsave()
            wait_until(
                lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err",
                SOON_S,
                "the snapshot fails",
            )
        yield made


async def test_a_full_disk_is_waited_for_also_at_the_start(
    full_disk: RedisNode, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis takes no writes, and refuses a PING; it answers reads."""
    settings = Settings(_env_file=None, redis_url=full_disk.url)
    async with connect(settings) as client, Redis.from_url(full_disk.url) as redis:
        async with opened(settings):
            await read_masters(client)
        made = Slot(client, KEYS, "g")

        async def over() -> None:
            await redis.config_set("stop-writes-on-bgsave-error", "no")

        assert "MISCONF" in await waits(made.create(10), over, caplog)


async def grant(redis: Redis, *rights: str) -> None:
    """Make a user that may do everything but what `rights` take away."""
    every = ["reset", "on", ">secret", "~*", "+@all"]
    await redis.execute_command("ACL", "SETUSER", "worker", *every, *rights)  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("slot")
@pytest.mark.parametrize(
    ("rights", "named"),
    [
        (["-eval", "-evalsha"], "EVALSHA s:{u0}:head: NOPERM"),
        (["-hget"], "can't run this command|ACL failure"),
        (["resetkeys", "~other:*"], "HGETALL s:{u0}:head: NOPERM"),
        (["-info"], "INFO: NOPERM"),
    ],
)
async def test_a_right_that_is_missing_is_named(
    node: RedisNode, redis: Redis, rights: list[str], named: str
) -> None:
    """In one line, with exit code 2 and no word of a rebuild."""
    await grant(redis, *rights)
    url = node.url.replace("//", "//worker:secret@")
    async with connect(Settings(_env_file=None, redis_url=url)) as client:
        mine = Slot(client, KEYS, "g")

        async def work() -> None:
            await read_masters(client)
            await client.hgetall(KEYS.head)
            await mine.blobs.read_at(10, ["a"])

        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(work(), SOON_S)
    said = str(caught.value)
    assert any(one in said for one in named.split("|")), said
    assert said.startswith("STREAMAPP_REDIS_URL: redis refuses ")
    assert "ACL SETUSER" in said
    assert "rebuild" not in said


@pytest.mark.parametrize("user", ["worker:wrong@", ""])
async def test_credentials_that_are_refused_are_not_waited_for(
    node: RedisNode, redis: Redis, user: str
) -> None:
    """An operator changes them; a worker that waited would look healthy."""
    await grant(redis)
    await redis.config_set("requirepass", "" if user else "secret")
    try:
        url = node.url.replace("//", f"//{user}")
        async with connect(Settings(_env_file=None, redis_url=url)) as client:
            with pytest.raises(ConfigError, match="correct user and password in the URL"):
                await asyncio.wait_for(client.get("k"), SOON_S)
    finally:
        await redis.config_set("requirepass", "")


async def test_only_damaged_state_advises_a_rebuild(redis: Redis, slot: Slot) -> None:
    """A key of another type is damage."""
    await redis.sadd(KEYS.blob("a"), "mine")
    with pytest.raises(StateError, match=r"WRONGTYPE.*streamapp rebuild"):
        await slot.blobs.put(20, [("a", b"x")])


async def test_a_worker_that_slept_shortens_the_life_of_no_list(redis: Redis) -> None:
    """It knows an older end; a list that is not there is still found to be missing."""
    lists = lists_of(redis, "l:", "s:", cluster=False)
    far = 4_000_000_000
    await lists.replace("user", [("u", b'{"seq":1}'), ("w", b'{"seq":1}')], 1, [far, far])
    assert await lists.extend("user", {"u": far - 1_000, "w": far + 5, "x": far}) == ["x"]
    assert await lists.extend("user", {"u": far - 1_000, "w": far + 5, "x": far}) == ["x"]
    assert [await redis.expiretime(f"l:user:{one}") for one in "uw"] == [far, far + 5]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three nodes."""
    made = Cluster(keeps_data=False)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
async def spread(cluster: Cluster) -> AsyncIterator[Redis]:
    """The client of a worker, of a cluster."""
    settings = Settings(_env_file=None, redis_url=cluster.url, redis_cluster=True)
    async with connect(settings) as made:
        yield made


async def test_a_slot_that_moves_is_waited_for(
    cluster: Cluster, spread: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """While it does, a script that names a key which is not there yet finds no node."""
    mine = Slot(spread, KEYS, "g")
    await mine.create(10)
    source = cluster.node_of(KEYS.head)
    target = next(node for node in cluster.nodes if node is not source)
    with source.client() as old, target.client() as new:
        number = old.execute_command("CLUSTER", "KEYSLOT", KEYS.head)
        names = [node.execute_command("CLUSTER", "MYID") for node in (old, new)]
        new.execute_command("CLUSTER", "SETSLOT", number, "IMPORTING", names[0])
        old.execute_command("CLUSTER", "SETSLOT", number, "MIGRATING", names[1])

        async def over() -> None:
            host, port = "127.0.0.1", target.port
            keys = old.execute_command("CLUSTER", "GETKEYSINSLOT", number, 100)
            old.execute_command("MIGRATE", host, port, "", 0, 5_000, "KEYS", *keys)
            for node in (new, old):
                node.execute_command("CLUSTER", "SETSLOT", number, "NODE", names[1])

        await waits(mine.blobs.put(20, [("a", b"x")]), over, caplog)
    assert await mine.blobs.read(["a"]) == [(20, b"x")]


async def test_heads_on_all_nodes_of_a_cluster_are_read_together(
    cluster: Cluster, spread: Redis
) -> None:
    """Each once, also those of a slot that is on its way to another node."""
    keys = [SlotKeys("s:", rows_tag(shard)).head for shard in range(64)]
    for at, key in enumerate(keys):
        await spread.hset(key, mapping={"position": at, "published": 2 * at})
    expected = [ShardHead(at, published=2 * at) for at in range(64)]
    before = _calls(cluster, "hmget")
    assert await read_heads(spread, keys, ShardHead, "published") == expected
    used = [now - then for now, then in zip(_calls(cluster, "hmget"), before, strict=True)]
    assert sum(used) == 64
    assert all(used)

    source = cluster.node_of(keys[7])
    target = next(node for node in cluster.nodes if node is not source)
    with source.client() as old, target.client() as new:
        number = old.execute_command("CLUSTER", "KEYSLOT", keys[7])
        names = [node.execute_command("CLUSTER", "MYID") for node in (old, new)]
        new.execute_command("CLUSTER", "SETSLOT", number, "IMPORTING", names[0])
        old.execute_command("CLUSTER", "SETSLOT", number, "MIGRATING", names[1])
        old.execute_command("MIGRATE", "127.0.0.1", target.port, keys[7], 0, 5_000)
        assert await read_heads(spread, keys, ShardHead, "published") == expected
        for node in (new, old):
            node.execute_command("CLUSTER", "SETSLOT", number, "NODE", names[1])
    assert await read_heads(spread, keys, ShardHead, "published") == expected


def _calls(cluster: Cluster, command: str) -> list[int]:
    """Return how often each node ran a command."""
    counts = []
    for node in cluster.nodes:
        with node.client() as client:
            stats: Any = client.info("commandstats")
            counts.append(stats.get(f"cmdstat_{command}", {}).get("calls", 0))
    return counts


@pytest.mark.parametrize("name", ["a", "a}b", "{}", "}{", "{}x", "a{}b", "a{b}c"])
async def test_a_cluster_takes_lists_of_ids_with_braces(spread: Redis, name: str) -> None:
    """List and tombstone lie in one slot."""
    lists = lists_of(spread, "l:", "s:", cluster=True)
    assert await lists.replace("item", [(name, b'{"seq":1}')], 1) == [b'{"seq":1}']
    assert await lists.replace("item", [(name, b"")], 2) == [b""]
    assert await lists.replace("item", [(name, b'{"seq":1}')], 1) == [None]
    assert await lists.get("item", name) is None
