"""A sender of lists leaves no older list behind on the topic than Redis has."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from streamapp.agents.runtime.list_sender import ListSender
from streamapp.failpoints import Failpoints


class Servers:
    """Redis, the slot and the broker; another owner may take over while lists are in flight.

    Args:
        later: What the next owners put into Redis, each while a batch is in flight.
    """

    def __init__(self, *later: dict[str, bytes]) -> None:
        self.later = list(later)
        self.stored: dict[str, bytes] = {}
        self.sent: list[dict[str, bytes | None]] = []
        self.owner = "me"

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 1

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        """Take a batch; then the next owner replaces lists."""
        self.sent.append(
            {one.key.decode(): one.value for some in messages.values() for one in some}
        )
        if self.later:
            self.owner = "another"
            self.stored |= self.later.pop(0)

    def served(self, content: bytes) -> bytes:
        """Return a list as readers see it."""
        return content

    async def get_many(self, _: str, names: Sequence[str]) -> list[bytes]:
        """Return what Redis holds."""
        return [self.stored.get(name, b"") for name in names]

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
    sender.send(lists, "what was sent")
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
