"""Makes a list for each user of a partition, from the user's history and from item lists.

A user who does something is put into the index as due, then the history is stored, and then the
list is made from the item lists that Redis holds, while more histories come in. Item lists change
later too, so a sweep compares all lists with them whenever shards have published something. A list
is removed some time after its user was last seen. It is removed at once if an event forgets its
user, and the record without a value on the topic is the receipt.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Self

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import FORCE_READ
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.runtime.slot_opening import claim_slot
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.user_lists.blender import UserListBlender
from streamapp.agents.user_lists.expiry import ListExpiry
from streamapp.agents.user_lists.pending_users import PendingUsers, Stored
from streamapp.agents.user_lists.published import PublishedList, indexed_lists
from streamapp.agents.user_lists.publisher import UserListPublisher
from streamapp.agents.user_lists.receipts import Receipts
from streamapp.agents.user_lists.sweep import UserSweep
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import USER
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex

_PUBLISH_S = 0.02
"""Lists that become due within this many seconds are published together."""

_PUBLISH_REST = 4
"""While interactions wait, lists are made for a fifth of the time at most."""

_AT_ONCE = 500
_AT_ONCE_BUSY = 125
"""Lists that are made together, without and with interactions that wait for it."""

_NOT_SWEPT = "-"


class UserLists:
    """The lists for the users of one interactions partition.

    One `step` runs at a time, in the background; `prepare` and `activate` need not wait for it.

    Args:
        context: Settings and connections.
        index: The users who have a list, or are due one.
        publisher: Publishes lists.
        sweep: Compares lists with item lists.
        pending: The users who are due a list.
        published: The known state of published lists, by user.
        lists_suspect: Whether Redis may have lost lists.
    """

    def __init__(
        self,
        context: StageContext,
        index: UserListIndex,
        publisher: UserListPublisher,
        sweep: UserSweep,
        pending: PendingUsers,
        published: dict[str, PublishedList],
        *,
        lists_suspect: bool,
    ) -> None:
        settings = context.settings
        self._budget = context.budget
        self._ttl_s = _lifetime_s(context)
        self._interval_s = settings.publish_interval
        self._index = index
        self._publisher = publisher
        self._sweep = sweep
        self._pending = pending
        self._published = published
        self._receipts = Receipts(publisher, index, pending, published)
        self._lists_suspect = lists_suspect
        self._clock = publisher.clock
        self._expiry = ListExpiry(publisher, pending, published, makes_lists=bool(self._ttl_s))
        self._cycle = DutyCycle(_PUBLISH_S, _PUBLISH_REST)
        self._prepared_at = 0.0
        self._expires_at = 0

    @classmethod
    async def open(
        cls,
        context: StageContext,
        slot: Slot,
        stored: Stored,
        registry: Registry,
        shards: int,
        *,
        lists_suspect: bool,
    ) -> Self:
        """Claim the slot, and read the index.

        Args:
            context: Settings and connections.
            slot: The slot of the histories.
            stored: Returns stored histories by user; it may leave users out.
            registry: Items by the numbers that the histories use.
            shards: How many shards publish item lists.
            lists_suspect: Whether Redis may have lost lists; then all are published again.
        """
        ttl_s = _lifetime_s(context)
        owner = await claim_slot(slot)
        sender = await ListSender[list[str]].open(context, slot, USER, owner, "user-lists.sent")
        index = UserListIndex(context.redis, slot.keys)
        noted = await index.take_over(owner)
        due = noted.expires_at if lists_suspect else noted.due
        back = await stored(noted.forgotten) if noted.forgotten else {}
        gone = {user for user in noted.forgotten if not back.get(user)}
        if not lists_suspect:
            gone |= await _never_lived(context, [one for one in due if one not in gone], stored)
        pending = PendingUsers(stored, (user for user in due if user not in gone) if ttl_s else ())
        latest = int(await slot.ownership.server_time() + ttl_s)
        listed = {user: at for user, at in noted.expires_at.items() if user not in gone}
        published = indexed_lists(listed, latest)
        for user in pending:
            published[user].republish()
        if lists_suspect:
            # The next owner has to publish the same lists again if this one dies.
            await index.mark_pending(owner, pending)
        unlisted = [user for user in noted.due if user in gone and user not in noted.forgotten]
        await index.complete(owner, unlisted, unlisted, seen=_NOT_SWEPT)
        blender = UserListBlender(context, registry)
        publisher = UserListPublisher(context, slot, index, sender, blender, pending, published)
        sweep = UserSweep(context, publisher, blender, pending, published, shards)
        made = cls(
            context, index, publisher, sweep, pending, published, lists_suspect=lists_suspect
        )
        made._receipts.add(noted.forgotten)
        return made

    async def prepare(
        self, histories: Mapping[str, bytes], forgotten: Collection[str] = ()
    ) -> None:
        """Store that lists are due, before the histories behind them are stored.

        A user whose history is empty (b"") did nothing. The list of such a user keeps its expiry
        time, and a user without a list gets none. Of the users in `forgotten`, an event says so:
        their list ends now.

        Raises:
            ClaimLostError: another worker has claimed the partition.
        """
        now = await self._clock.sync()
        known, some = self._published, {}
        if self._ttl_s:
            some = {
                user: one
                for user, one in histories.items()
                if one or (user in known and user not in forgotten)
            }
        self._receipts.prepare(forgotten)
        if not some and not forgotten:
            return
        self._pending.prepare(some)
        self._prepared_at = time.monotonic()
        owner, self._expires_at = self._publisher.sender.owner, int(now + self._ttl_s)
        due = self._receipts
        active = [user for user in some if some[user] and user not in due]
        await self._index.mark_pending(owner, active, self._expires_at)
        await self._index.mark_pending(owner, (user for user in some if not some[user]))
        told = [*forgotten, *(user for user in some if user in due and user not in forgotten)]
        await self._index.mark_pending(owner, told, -self._expires_at)

    def activate(self) -> None:
        """Make the prepared lists due, because the histories are stored now."""
        # The time in the index, so that the key and the index name the same second.
        expires_at = self._expires_at
        self._receipts.activate()
        for user, history in self._pending.activate().items():
            if not history:
                continue
            # The order is that of `expires_at`, so the user moves to the end.
            known = self._published.pop(user, None) or PublishedList.of_new_user(
                expires_at, lists_suspect=self._lists_suspect
            )
            known.expires_at = expires_at
            self._published[user] = known

    def connect(self, wake: Callable[[], None]) -> None:
        """Take in how to call for a step when the topic has the lists that were sent."""
        self._publisher.sender.on_end = wake

    async def step(self, *, busy: bool) -> None:
        """Publish, sweep or remove the lists that are due.

        Args:
            busy: Whether interactions wait.
        """
        sender = self._publisher.sender
        if sender.is_done:
            await self._publisher.join()
        await self._expiry.step()
        await self._receipts.step()
        at_once = _AT_ONCE_BUSY if busy else _AT_ONCE
        if self._backoff_s(busy=busy) <= 0 and (ready := self._ready(at_once)):
            with self._cycle.measured():
                read_after = FORCE_READ
                if busy or len(ready) >= _AT_ONCE_BUSY:
                    # Under load, item lists that changed since are left to the next sweep.
                    just_now = time.monotonic() - self._interval_s
                    read_after = max(self._sweep.read_after, just_now)
                await self._publisher.publish(await self._pending.histories(ready), read_after)
            self._budget.published(len(ready))
        elif sender.in_flight is None and self._ttl_s:
            quiet = time.monotonic() > self._prepared_at + self._interval_s
            if version := await self._sweep.step(busy=busy, quiet=quiet):
                await self._index.complete(sender.owner, [], seen=version)

    def due_in_s(self, *, busy: bool) -> float:
        """Return the seconds until the next step; 0 or less if it is due.

        Args:
            busy: Whether interactions wait.
        """
        sender = self._publisher.sender
        if sender.is_done:
            return 0.0
        due_in_s = [self._receipts.due_in_s]
        if self._pending:
            ready_in_s = 0.0 if self._ready(1) else self._interval_s / 4
            due_in_s.append(max(self._backoff_s(busy=busy), ready_in_s))
        if self._published:
            due_in_s.append(self._expiry.due_time.due_in_s)
        if self._ttl_s and sender.in_flight is None:
            due_in_s.append(self._sweep.due_in_s(busy=busy))
        return min(due_in_s)

    async def finish(self, until: float = math.inf) -> None:
        """Send all receipts, and publish pending lists until a time; no step is running.

        Args:
            until: Monotonic time in seconds. The index knows the lists that are pending then.
        """
        while await self._receipts.step():
            pass
        due = list(self._pending)
        for start in range(0, len(due), _AT_ONCE):
            if time.monotonic() >= until:
                break
            histories = await self._pending.histories(due[start : start + _AT_ONCE])
            await self._publisher.publish(histories, FORCE_READ)
        await self._publisher.join()

    def close(self) -> None:
        """End a sweep that is under way."""
        self._sweep.close()

    async def drain(self) -> None:
        """Wait until the topic has the lists that were sent, and store nothing."""
        await self._publisher.sender.join()

    def _backoff_s(self, *, busy: bool) -> float:
        """Return the seconds until due lists may be made; a full batch does not wait for others."""
        if len(self._pending) >= _AT_ONCE and not busy:
            return 0.0
        if self._publisher.sender.in_flight is not None:
            return _PUBLISH_S
        return max(0.0, self._cycle.due_in_s(busy=busy))

    def _ready(self, at_once: int) -> list[str]:
        """Return users who are due and whose lists did not just change."""
        before, known = time.monotonic() - self._interval_s, self._published
        some = islice(self._pending, 4 * _AT_ONCE)
        ready = (user for user in some if known[user].published_at <= before)
        return list(islice((user for user in ready if user not in self._receipts), at_once))


async def _never_lived(context: StageContext, due: Sequence[str], stored: Stored) -> set[str]:
    """Return the users among those due a list who have no history and no list.

    The owner before died when it had prepared their list and not stored their history. They are due
    again if their history is stored now; it may also have gone on to another user.
    """
    found: dict[str, bytes] = {}
    for start in range(0, len(due), _AT_ONCE):
        found |= await stored(due[start : start + _AT_ONCE])
    bare = [user for user, history in found.items() if not history]
    lists = await context.lists.get_many(USER, bare)
    return {user for user, content in zip(bare, lists, strict=True) if not content}


def _lifetime_s(context: StageContext) -> float:
    """Return the seconds that a list lives after its user was last seen; 0 makes no lists."""
    return context.settings.user_list_ttl if context.pipeline.makes_user_lists else 0.0
