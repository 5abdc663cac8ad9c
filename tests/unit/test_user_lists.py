"""Lists for users: what is due, on its way or gone, and what whoever takes over still knows.

Redis is real, and so are the scripts; in place of the broker stands one that waits to be told.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from streamapp.agents.outside import Outside
from streamapp.agents.user_lists import UserLists
from streamapp.core.history import ENTRY
from streamapp.core.registry import Registry
from streamapp.errors import ClaimLostError
from streamapp.failpoints import Failpoints
from streamapp.settings import Settings
from streamapp.store.audience import Audience, Note
from streamapp.store.keys import SlotKeys
from streamapp.store.lists import Lists, lists_of
from streamapp.store.slot import Head, Slot
from tests.servers.node import RedisNode

ITEMS = ["a", "b", "c", "x", "y"]
NEIGHBOURS = {"a": {"x": 0.5, "b": 0.25}, "b": {"y": 0.5, "a": 0.25}, "c": {"a": 0.25}}
FAR = 9_000_000_000_000
"""A time in milliseconds that no clock has reached."""

WITHIN_S = 20.0
KEYS = SlotKeys("s:", "u0")


class Broker:
    """In place of the publisher: takes lists by key, while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.taken: list[tuple[str, bytes | None]] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 3

    async def deliver(self, messages: dict[tuple[str, int], list[Any]]) -> None:
        """Wait until it is open, then take what comes."""
        await self.open.wait()
        self.taken += [(m.key.decode(), m.value) for some in messages.values() for m in some]

    def last(self, user: str) -> list[str] | None:
        """Return the items of the last list of a user; None where it is gone, or never came."""
        value = dict(self.taken).get(f"user:{user}")
        return None if value is None else listed(value)


class Desk:
    """One partition of users, with the lists of three items; owners of it come and go.

    Attributes:
        redis: A client.
        broker: What takes the lists of every owner.
        lists: The lists in Redis.
        owner: Whoever opened the partition last.
        position: Of the slot.
    """

    owner: UserLists

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.broker = Broker()
        self.lists: Lists = lists_of(redis, "l:", "s:", cluster=False)
        self.audience = Audience(redis, KEYS)
        self.slot = Slot(redis, KEYS, "g")
        self.position = 0

    async def begin(self) -> None:
        """Make the slot, and publish the lists of the items."""
        await self.slot.create(0, {})
        for item, neighbours in NEIGHBOURS.items():
            await self.item_list(item, neighbours)

    async def item_list(self, item: str, neighbours: dict[str, float]) -> None:
        """Replace the list of an item, and say in the head of its shard that one was published."""
        items = [{"id": name, "score": score, "support": 1} for name, score in neighbours.items()]
        published = await self.redis.hincrby("s:{i0}:head", "published", 1)
        value = {"v": 1, "kind": "item", "id": item, "seq": published, "as_of": 7.0, "items": items}
        text = json.dumps(value, separators=(",", ":")).encode() if items else b""
        await self.lists.replace("item", [(item, text)], published)

    async def open(
        self, *, doubt: bool = False, items: list[str] | None = None, **settings: Any
    ) -> None:
        """Let another owner, with these settings, open the partition."""
        chosen = {"publish_interval": 0.001, "refresh_interval": 0.05, **settings}
        made = Settings(_env_file=None, state_prefix="s:", list_prefix="l:", **chosen)
        publisher: Any = self.broker
        outside = Outside(made, self.redis, self.lists, publisher, Failpoints())
        self.owner = UserLists(outside, Slot(self.redis, KEYS, "g"))
        await self.open_again(doubt=doubt, items=items)

    async def open_again(self, *, doubt: bool = False, items: list[str] | None = None) -> None:
        """Let the owner open the partition once more."""
        await self.owner.open(Registry(items or ITEMS), 1, doubt=doubt)

    async def sees(self, user: str, *items: str, known: list[str] | None = None) -> None:
        """Let a user have seen these items, the newest last, and store that."""
        await self.notes({user: history(items, known or ITEMS)})

    async def notes(self, histories: dict[str, bytes]) -> None:
        """Note that lists are due, and store what asks for them."""
        await self.owner.note(histories)
        await self.slot.put(self.position + 1, histories.items())
        await self.slot.commit(self.position, Head(self.position + 1))
        self.position += 1

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Let the owner work until something is so."""
        deadline = time.monotonic() + WITHIN_S
        while not await condition():
            assert time.monotonic() < deadline, what
            await self.owner.step(self.position, busy=False)
            await asyncio.sleep(0.002)

    async def drained(self) -> bool:
        """Say whether no list is due, and all were compared with those of the items."""
        due: Any = await self.redis.hget(KEYS.head, "due_users")
        seen: Any = await self.redis.hget(KEYS.head, "seen")
        published: Any = await self.redis.hget("s:{i0}:head", "published")
        # The only shard has no position, and nothing is trending.
        return not int(due or 0) and seen == b":" + published + b"/0"

    async def drain(self) -> None:
        """Let the owner work until everything is done."""
        await self.until(self.drained, "drained")

    async def shown(self, user: str) -> list[str] | None:
        """Return the items of the list that stands, or None."""
        value = await self.lists.get("user", user)
        return None if value is None else listed(value)

    async def standing(self, user: str) -> bytes:
        """Return the list that stands."""
        value = await self.lists.get("user", user)
        assert value is not None
        return value

    async def noted(self, user: str) -> Note | None:
        """Return what is noted of a user."""
        return (await self.audience.load()).get(user)

    async def due_users(self) -> int:
        """Return how many lists the head says are due."""
        return int(await self.redis.hget(KEYS.head, "due_users") or 0)


def history(items: tuple[str, ...], known: list[str]) -> bytes:
    """Return a history, packed, the newest last."""
    entries = [(known.index(item), 1.0, float(ts)) for ts, item in enumerate(items)]
    return np.array(entries, ENTRY).tobytes()


def listed(value: bytes) -> list[str]:
    """Return the items of a list."""
    return [entry["id"] for entry in json.loads(value)["items"]]


def seq(value: bytes) -> int:
    """Return the `seq` of a list."""
    return int(json.loads(value)["seq"])


@pytest.fixture(scope="module")
def node() -> Iterator[RedisNode]:
    """A Redis of this file alone."""
    with RedisNode() as made:
        yield made


@pytest.fixture
async def redis(node: RedisNode) -> AsyncIterator[Redis]:
    """A client of that server, which holds nothing."""
    async with Redis.from_url(node.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def desk(redis: Redis) -> Desk:
    """A partition that an owner has opened."""
    made = Desk(redis)
    await made.begin()
    await made.open()
    return made


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot that `me` has claimed."""
    made = Slot(redis, KEYS, "g")
    await made.claim("me")
    return made


@pytest.fixture
async def audience(redis: Redis, slot: Slot) -> Audience:
    """The audience of that slot."""
    return Audience(redis, slot.keys)


async def test_a_list_is_due_until_the_topic_has_it(desk: Desk) -> None:
    """It is noted before the history is stored, and the note goes when the list has arrived."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    noted = await desk.noted("u")
    assert noted is not None
    assert noted.due
    await desk.until(lambda: desk.shown("u"), "the list stands")
    assert (await desk.shown("u"), await desk.due_users()) == (["x", "b"], 1)

    desk.broker.open.set()
    await desk.drain()
    assert await desk.noted("u") == noted._replace(due=False)
    assert desk.broker.taken == [("user:u", await desk.standing("u"))]


async def test_a_user_who_does_more_while_the_list_is_on_its_way_stays_due(desk: Desk) -> None:
    """What arrives is not what is due by then."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    await desk.until(lambda: desk.shown("u"), "the list stands")
    await desk.sees("u", "a", "b")
    desk.broker.open.set()
    await desk.owner.settle()
    noted = await desk.noted("u")
    assert noted is not None
    assert noted.due
    assert await desk.due_users() == 1

    await desk.drain()
    assert desk.broker.last("u") == await desk.shown("u") == ["y", "x"]
    assert await desk.due_users() == 0


async def test_a_list_that_stays_the_same_is_not_published_and_lives_longer(desk: Desk) -> None:
    """The same bytes, the same `seq`, and nothing on the topic."""
    users = {user: history(("a",), ITEMS) for user in ("u", "v")}
    await desk.open(user_list_ttl=1_000)
    await desk.notes(users)
    await desk.drain()
    before, sent = await desk.standing("u"), list(desk.broker.taken)
    first = await desk.redis.expiretime("l:user:u")

    await desk.open(user_list_ttl=2_000)
    await desk.notes(users)
    await desk.drain()
    assert (await desk.standing("u"), desk.broker.taken) == (before, sent)
    for user in users:
        noted = await desk.noted(user)
        assert noted is not None
        assert noted.expires_at >= first + 900
        assert await desk.redis.expiretime(f"l:user:{user}") == noted.expires_at + 60


async def test_a_due_list_of_an_owner_who_died_is_published_though_the_key_holds_it(
    desk: Desk,
) -> None:
    """Nobody knows whether the topic does."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    await desk.until(lambda: desk.shown("u"), "the list stands")
    before, dead = await desk.standing("u"), desk.broker

    desk.broker = Broker()
    await desk.open()
    await desk.drain()
    after = await desk.standing("u")
    assert desk.broker.taken == [("user:u", after)]
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    dead.open.set()


async def test_an_owner_who_takes_over_in_order_publishes_nothing(desk: Desk) -> None:
    """It reads what stands, and finds that it is right."""
    await desk.sees("u", "a")
    await desk.sees("v", "b")
    await desk.drain()
    sent = list(desk.broker.taken)
    await desk.open()
    await desk.drain()
    assert desk.broker.taken == sent


async def test_a_list_that_a_later_one_keeps_out_stays_due(desk: Desk) -> None:
    """It is brought to its readers as soon as the clock has passed that one, without a sweep."""
    await desk.open(refresh_interval=3_600)
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await desk.lists.replace("user", [("u", later)], FAR)
    await desk.sees("u", "a")
    for _ in range(20):
        await desk.owner.step(desk.position, busy=False)
    noted = await desk.noted("u")
    assert noted is not None
    assert noted.due
    assert (await desk.due_users(), desk.broker.taken) == (1, [])
    assert await desk.standing("u") == later

    await desk.redis.hset(KEYS.head, "tick", FAR)

    async def done() -> bool:
        return not await desk.due_users()

    await desk.until(done, "nothing is due")
    assert desk.broker.last("u") == await desk.shown("u") == ["x", "b"]
    assert seq(await desk.standing("u")) > FAR


async def test_finish_publishes_all_that_is_due_and_ends_where_some_is_refused(desk: Desk) -> None:
    """More than go out together, long before their time; one stays due for the next owner."""
    await desk.open(publish_interval=3_600)
    users = [f"u{number}" for number in range(1_203)]
    await desk.notes({user: history(("a",), ITEMS) for user in users})
    await desk.drain()
    assert len(desk.broker.taken) == len(users)
    await desk.redis.set("l:user:u7", json.dumps({"seq": FAR}, separators=(",", ":")))
    await desk.notes({user: history(("a", "b"), ITEMS) for user in users})
    await desk.owner.step(desk.position, busy=False)
    assert await desk.due_users() == len(users)

    await asyncio.wait_for(desk.owner.finish(desk.position), WITHIN_S)
    assert await desk.due_users() == 1
    noted = await desk.audience.load()
    assert [user for user, note in noted.items() if note.due] == ["u7"]
    topic = dict(desk.broker.taken)
    for user in users:
        assert (topic[f"user:{user}"] == await desk.standing(user)) == (user != "u7")
    assert await desk.shown("u3") == ["y", "x"]


async def test_a_list_follows_those_of_the_items_though_the_user_does_nothing(desk: Desk) -> None:
    """A sweep finds whose lists differ, and publishes only these."""
    await desk.sees("u", "a")
    await desk.sees("v", "b")
    await desk.drain()
    sent = len(desk.broker.taken)
    await desk.item_list("a", {"y": 0.5})
    await desk.drain()
    assert await desk.shown("u") == ["y"]
    assert [key for key, _ in desk.broker.taken[sent:]] == ["user:u"]


async def test_a_swept_list_is_due_before_it_is_replaced(desk: Desk) -> None:
    """An owner who dies then leaves a key that the topic lacks, and a note of it."""
    await desk.sees("u", "a")
    await desk.drain()
    desk.broker.open.clear()
    await desk.item_list("a", {"y": 0.5})

    async def changed() -> bool:
        return await desk.shown("u") == ["y"]

    await desk.until(changed, "the key is replaced")
    dead, desk.broker = desk.broker, Broker()
    await desk.open()
    await desk.drain()
    assert desk.broker.taken == [("user:u", await desk.standing("u"))]
    dead.open.set()


async def test_a_user_without_anything_to_show_has_no_key(desk: Desk) -> None:
    """And one whose list becomes empty loses it, on the topic too."""
    await desk.sees("u", "x")
    await desk.drain()
    assert (await desk.shown("u"), desk.broker.taken) == (None, [])

    await desk.sees("v", "c")
    await desk.drain()
    await desk.sees("v", "c", "a", "x", "b", "y")
    await desk.drain()
    assert await desk.shown("v") is None
    assert desk.broker.taken[-1] == ("user:v", None)


async def test_a_list_goes_when_its_time_is_over_and_comes_back_with_the_user(desk: Desk) -> None:
    """Key, note and record of the topic go; the next list has a higher `seq`."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.drain()
    before = await desk.standing("u")

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert (await desk.shown("u"), desk.broker.taken[-1]) == (None, ("user:u", None))

    await desk.sees("u", "a")
    await desk.drain()
    after = await desk.standing("u")
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    assert desk.broker.last("u") == listed(after)


async def test_without_lists_for_users_those_that_stand_are_removed(desk: Desk) -> None:
    """And whoever does something gets none."""
    for user in ("u", "v"):
        await desk.sees(user, "a")
    await desk.drain()
    await desk.open(user_list_ttl=0)

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    await desk.sees("u", "b")
    await desk.owner.finish(desk.position)
    assert await desk.redis.keys("l:user:*") == []
    assert dict(desk.broker.taken) == {"user:u": None, "user:v": None}


async def test_an_owner_who_lost_the_claim_writes_nothing(desk: Desk) -> None:
    """Neither notes nor lists, nor does it remove any."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.drain()
    before = await desk.redis.hgetall(KEYS.audience), await desk.standing("u")
    await desk.slot.claim("another")
    with pytest.raises(ClaimLostError):
        await desk.owner.note({"u": history(("b",), ITEMS)})

    async def never() -> bool:
        return False

    with pytest.raises(ClaimLostError):
        await desk.until(never, "it notices")
    assert (await desk.redis.hgetall(KEYS.audience), await desk.standing("u")) == before


async def test_the_clock_rises_though_that_of_the_server_does_not(slot: Slot, redis: Redis) -> None:
    """Neither within a millisecond, nor after the server's clock was set back."""
    ticks = [await slot.tick("me") for _ in range(50)]
    assert ticks == sorted(set(ticks))
    await redis.hset(KEYS.head, "tick", FAR)
    assert [await slot.tick("me") for _ in range(3)] == [FAR + 1, FAR + 2, FAR + 3]
    assert await redis.hget(KEYS.head, "tick") == str(FAR + 3).encode()


async def test_the_clock_goes_on_after_its_state_was_lost(slot: Slot, redis: Redis) -> None:
    """A counter would begin again below what was published."""
    before = await slot.tick("me")
    await redis.hdel(KEYS.head, "tick")
    await asyncio.sleep(0.003)
    assert await slot.tick("me") > before


async def test_the_number_of_due_users_is_that_of_the_notes(audience: Audience) -> None:
    """Whatever is noted after whatever, also twice, and of several users at once."""
    due, not_due = Note(200, due=True), Note(300, due=False)
    steps: list[tuple[dict[str, Note | None], int]] = [
        ({"u": due}, 1),
        ({"u": due}, 1),
        ({"u": not_due, "v": due, "w": due}, 2),
        ({"v": not_due, "w": None}, 0),
        ({"u": None, "v": due}, 1),
        ({"u": None, "v": None, "nobody": None}, 0),
        ({f"u{number}": due for number in range(1_201)}, 1_201),
        ({f"u{number}": (None, not_due)[number % 2] for number in range(1_201)}, 0),
    ]
    for notes, expected in steps:
        before = await audience.load()
        await audience.note("me", notes)
        after = {user: note for user, note in (before | notes).items() if note is not None}
        assert await audience.load() == after
        assert int(await audience._redis.hget(KEYS.head, "due_users") or 0) == expected


async def test_what_was_compared_is_noted_with_the_last_notes(audience: Audience) -> None:
    """An empty text leaves it as it is."""
    await audience.note("me", {}, "7:9")
    await audience.note("me", {"u": Note(200, due=False)})
    assert await audience._redis.hget(KEYS.head, "seen") == b"7:9"


async def test_whoever_lost_the_claim_moves_neither_clock_nor_notes(
    audience: Audience, slot: Slot
) -> None:
    """Nor what is said to be compared."""
    await audience.note("me", {"u": Note(200, due=True)}, "7:9")
    before = await audience._redis.hgetall(KEYS.head), await audience.load()
    with pytest.raises(ClaimLostError):
        await audience.note("you", {"u": None, "v": Note(300, due=True)}, "8:9")
    with pytest.raises(ClaimLostError):
        await slot.tick("you")
    assert (await audience._redis.hgetall(KEYS.head), await audience.load()) == before


async def test_what_is_doubted_is_doubted_by_the_next_owner_too(desk: Desk) -> None:
    """An owner who finds that lists may be lost, and dies before it has published any."""
    for user in ("u", "v"):
        await desk.sees(user, "a")
    await desk.drain()
    sent = len(desk.broker.taken)
    await desk.open(doubt=True)
    assert not await desk.drained()
    await desk.open()
    await desk.drain()
    assert sorted(key for key, _ in desk.broker.taken[sent:]) == ["user:u", "user:v"]


async def test_items_may_have_other_numbers_after_the_state_was_begun_anew(desk: Desk) -> None:
    """A worker that goes on through `streamapp rebuild` counts them in another order."""
    await desk.sees("u", "a")
    await desk.drain()
    other = ["b", "a", *ITEMS[2:]]
    await desk.open_again(doubt=True, items=other)
    await desk.sees("u", "a", known=other)
    await desk.sees("v", "b", known=other)
    await desk.drain()
    assert (await desk.shown("u"), await desk.shown("v")) == (["x", "b"], ["y", "a"])


async def test_a_user_whom_a_rollback_forgot_loses_what_the_topic_shows(desk: Desk) -> None:
    """The history comes back at once as one that leaves nothing to show."""
    await desk.sees("v", "c")
    await desk.drain()
    await desk.redis.delete(KEYS.audience, "l:user:v")
    await desk.redis.hdel(KEYS.head, "due_users")
    await desk.open_again(doubt=True)
    await desk.sees("v", "c", "a", "x", "b", "y")
    await desk.drain()
    assert desk.broker.taken[-1] == ("user:v", None)


async def test_a_key_of_a_user_who_is_new_goes_where_there_is_nothing_to_show(desk: Desk) -> None:
    """`streamapp rebuild` leaves the lists, but no note of them."""
    await desk.lists.replace("user", [("u", b'{"v":1,"seq":5,"items":[]}')], 5)
    await desk.sees("u", "x")
    await desk.drain()
    assert await desk.shown("u") is None


async def test_a_shorter_life_holds_for_lists_that_stand(desk: Desk) -> None:
    """Else those of new users would wait behind more old ones than are looked at at once."""
    old = [f"old{number}" for number in range(600)]
    await desk.notes({user: history(("a",), ITEMS) for user in old})
    await desk.drain()
    await desk.open(user_list_ttl=1)
    await desk.sees("new", "a")

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert await desk.redis.keys("l:user:*") == []
    assert set(dict(desk.broker.taken).values()) == {None}


async def test_a_list_that_a_later_one_keeps_from_going_is_not_gone(desk: Desk) -> None:
    """Key and topic say the same until the clock has caught up."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.drain()
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await desk.redis.set("l:user:u", later)
    noted = await desk.noted("u")
    assert noted is not None

    async def over() -> bool:
        return time.time() > noted.expires_at + 1.5

    await desk.until(over, "its time is over")
    assert ("user:u", None) not in desk.broker.taken
    await desk.redis.hset(KEYS.head, "tick", FAR)

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert (await desk.shown("u"), desk.broker.taken[-1]) == (None, ("user:u", None))


async def test_a_history_that_is_ahead_waits_for_what_it_is_ahead_of(desk: Desk) -> None:
    """Its owner died before it stored the items that are new in it; the log is read again."""
    await desk.sees("v", "b")
    ahead = history(("a", "c"), ITEMS)
    await desk.owner.note({"u": ahead})
    await desk.slot.put(desk.position + 1, [("u", ahead)])

    await desk.open(items=["a", "b"])

    async def arrived() -> bool:
        return await desk.due_users() == 1

    await desk.until(arrived, "the other list arrives")
    await desk.owner.finish(desk.position)
    assert (await desk.shown("v"), await desk.shown("u")) == (["y", "a"], None)
    noted = await desk.noted("u")
    assert noted is not None
    assert noted.due

    await desk.open(items=ITEMS)
    await desk.notes({"u": ahead})
    await desk.drain()
    assert await desk.shown("u") == ["x", "b"]
