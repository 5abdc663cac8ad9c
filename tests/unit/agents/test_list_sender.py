"""A sender of lists leaves no older list behind on the topic than Redis has."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from streamapp.agents.runtime.list_sender import ListSender
from streamapp.core.lists.list_seq import seq_headers
from streamapp.failpoints import Failpoints
from tests.support.topic_reader import newest_lists


class Servers:
    """Redis, the slot and the broker; another owner may take over while lists are in flight.

    Args:
        later: What the next owners put into Redis, each while a batch is in flight.
    """

    def __init__(self, *later: dict[str, bytes]) -> None:
        self.later = list(later)
        self.stored: dict[str, bytes] = {}
        self.sent: list[dict[str, bytes | None]] = []
        self.seqs: list[dict[str, int]] = []
        self.owner = "me"

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 1

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        """Take a batch; then the next owner replaces lists."""
        self.sent.append(
            {one.key.decode(): one.value for some in messages.values() for one in some}
        )
        self.seqs.append(
            {
                one.key.decode(): int(dict(one.headers)["seq"])
                for some in messages.values()
                for one in some
            }
        )
        if self.later:
            self.owner = "another"
            self.stored |= self.later.pop(0)

    def served(self, content: bytes) -> bytes:
        """Return a list as readers see it."""
        return content

    async def get_versions(self, _: str, names: Sequence[str]) -> list[tuple[bytes, int]]:
        """Return what Redis holds; a list holds its `seq`, and every tombstone has expired."""
        found = [self.stored.get(name, b"") for name in names]
        return [(content, int(content or 0)) for content in found]

    async def is_owner(self, owner: str) -> bool:
        """Say whether nobody claimed the slot since."""
        return owner == self.owner


async def sent(servers: Servers, lists: dict[str, bytes]) -> list[dict[str, bytes | None]]:
    """Return the batches that a sender sends."""
    context: Any = SimpleNamespace(
        settings=SimpleNamespace(lists_topic="lists"),
        lists=servers,
        producer=servers,
        list_delivery=servers,
        failpoints=Failpoints(),
    )
    slot: Any = SimpleNamespace(ownership=servers)
    sender = await ListSender[str].open(context, slot, "item", "me", "publication.lists-sent")
    servers.stored |= lists
    sender.send(lists, 1, "what was sent")
    assert (sender.is_running, sender.in_flight) == (True, "what was sent")
    assert await sender.join() == "what was sent"
    assert (sender.is_running, sender.in_flight) == (False, None)
    return servers.sent


async def test_an_owner_sends_its_lists_once() -> None:
    """An empty list is a record without a value."""
    lists = {"a": b"1", "b": b""}
    assert await sent(Servers(), lists) == [{"item:a": b"1", "item:b": None}]


async def test_an_owner_that_was_replaced_sends_what_redis_holds_now() -> None:
    """Its lists may have come behind newer ones; lists that did not change are not sent again."""
    servers = Servers({"a": b"2"})
    assert await sent(servers, {"a": b"1", "b": b"1"}) == [
        {"item:a": b"1", "item:b": b"1"},
        {"item:a": b"2"},
    ]


async def test_it_goes_on_until_redis_holds_what_it_sent() -> None:
    """A list that is gone is sent as such."""
    servers = Servers({"a": b"2"}, {"a": b""})
    assert await sent(servers, {"a": b"1"}) == [
        {"item:a": b"1"},
        {"item:a": b"2"},
        {"item:a": None},
    ]


async def test_each_record_has_its_seq_as_a_header() -> None:
    """A removal too; where nothing in Redis says which, it is as late as what was sent before."""
    servers = Servers({"a": b"3", "b": b""}, {"a": b""})
    await sent(servers, {"a": b"1", "b": b"1"})
    assert servers.seqs == [{"item:a": 1, "item:b": 1}, {"item:a": 3, "item:b": 1}, {"item:a": 3}]
    assert servers.sent[1:] == [{"item:a": b"3", "item:b": None}, {"item:a": None}]


def record(seq: int, value: bytes | None) -> Any:
    """Return a record of the list of a."""
    return SimpleNamespace(key=b"item:a", value=value, headers=seq_headers(seq))


def test_a_late_copy_brings_no_list_back() -> None:
    """A worker that lost its partition sends 10 again, behind the removal of the next owner."""
    ten, removal, eleven = record(10, b'{"seq":10}'), record(12, None), record(11, b'{"seq":11}')
    assert newest_lists([ten]) == {"item:a": b'{"seq":10}'}
    assert newest_lists([ten, removal, ten, eleven]) == {}
    assert newest_lists([removal, record(13, b'{"seq":13}'), ten]) == {"item:a": b'{"seq":13}'}
    assert newest_lists([ten, record(10, None)]) == {}
