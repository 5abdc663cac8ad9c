"""User lists: histories of a partition and the lists of items -> a list for each user.

A user who does something is noted as due, the history is stored, and the list is made from the
lists of items as they stand in Redis, while more histories come in. Lists of items change later
too, so a sweep compares all lists with them, whenever shards say that they have published something
since. A list is removed some time after its user was last seen.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.runtime.throttle import DutyCycle
from streamapp.agents.user_lists.blender import UserListBlender
from streamapp.agents.user_lists.changes import changes
from streamapp.agents.user_lists.pending import PendingUsers, Stored
from streamapp.agents.user_lists.published import (
    LOST,
    NEW,
    PublishedList,
    expired,
    made_of,
    shown_of,
)
from streamapp.agents.user_lists.sweep import UserSweep
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import USER
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex

_PUBLISH_S = 0.02
"""Lists that are due within so many seconds go out together."""

_PUBLISH_REST = 4
"""While interactions wait, lists are in the making for a fifth of the time at most."""

_AT_ONCE = 500
_AT_ONCE_BUSY = 125
"""Lists that are made together, and while interactions wait for it."""

_ARRIVAL_S = 0.005
"""What is on its way to the topic is looked after so often."""

_EXPIRY_S = 1.0
_GRACE_S = 60
"""Redis removes a list so much later than a worker does, who also tells the topic."""

_NOT_SWEPT = "-"


class UserLists:
    """The lists for the users of one interactions partition.

    One `step` goes on at a time, and `note` and `owe` need not wait for it.

    Args:
        outside: Settings and connections.
        slot: That of the histories.
        stored: Returns the histories of users that are stored; some may be left out.
    """

    def __init__(self, outside: StageContext, slot: Slot, stored: Stored) -> None:
        settings = outside.settings
        self._outside = outside
        self._ttl_s = settings.user_list_ttl if outside.pipeline.makes_user_lists else 0.0
        self._interval_s = settings.publish_interval
        self._lists = outside.lists
        self._slot = slot
        self._stored = stored
        self._audience = UserListIndex(outside.redis, slot.keys)
        self._delivery = ListSender(outside, slot, USER, "user-lists.sent")
        self._blender = UserListBlender(outside, Registry())
        self._publishing = DutyCycle(_PUBLISH_S, _PUBLISH_REST)
        self._new = NEW
        self._begin({}, 0)

    def _begin(self, expires_at: Mapping[str, int], shards: int) -> None:
        self._shown = shown_of(expires_at, int(time.time() + self._ttl_s))
        self._due = PendingUsers(self._stored)
        self._on_the_way: list[str] = []
        self._sweep = UserSweep(self._outside, shards)
        self._expire_at = self._noted_at = 0.0

    async def open(self, registry: Registry, shards: int, *, doubt: bool) -> None:
        """Claim the slot, and read who has a list.

        Args:
            registry: The items by the numbers that the histories of the partition use.
            shards: How many shards publish lists of items.
            doubt: Whether lists may have been lost: then all are published again.
        """
        await self._delivery.open()
        # Other items may have the numbers of before.
        self._blender = UserListBlender(self._outside, registry)
        self._new = LOST if doubt else NEW
        owner = self._delivery.owner
        noted = await self._audience.take_over(owner)
        self._begin(noted.expires_at, shards)
        if self._ttl_s:
            self._due = PendingUsers(self._stored, noted.expires_at if doubt else noted.due)
        for user in self._due:
            self._shown[user].digest = LOST
        if doubt:
            # Whoever takes over from here is to doubt the same.
            await self._audience.note(owner, self._due)
        await self._audience.served(owner, [], seen=_NOT_SWEPT)

    async def note(self, histories: Mapping[str, bytes]) -> None:
        """Note that lists are due, before the histories that ask for it are stored.

        Who was forgotten did nothing: such a list ends when it was to end, and none begins.

        Raises:
            ClaimLostError: another worker has claimed the partition.
        """
        some = {user: told for user, told in histories.items() if told or user in self._shown}
        if not self._ttl_s or not some:
            return
        self._due.note(some)
        self._noted_at = time.monotonic()
        owner, expires_at = self._delivery.owner, int(time.time() + self._ttl_s)
        await self._audience.note(owner, (user for user in some if some[user]), expires_at)
        await self._audience.note(owner, (user for user in some if not some[user]))

    def owe(self) -> None:
        """Have the lists be due that were noted last, as the histories are stored."""
        expires_at = int(time.time() + self._ttl_s)
        for user, history in self._due.owe().items():
            if not history:
                continue
            # The user who did something last comes last.
            shown = self._shown.pop(user, None) or PublishedList(expires_at, self._new)
            shown.expires_at = expires_at
            self._shown[user] = shown

    async def step(self, *, busy: bool) -> None:
        """Publish, sweep or remove what is due.

        Args:
            busy: Whether interactions wait.
        """
        if self._delivery.arrived:
            await self.settle()
        at_once = _AT_ONCE_BUSY if busy else _AT_ONCE
        if time.monotonic() >= self._expire_at:
            await self._expire()
        if self._rest_s(busy=busy) <= 0 and (ripe := self._ripe(at_once)):
            with self._publishing.measured():
                # Where much is due, what changed since is for a sweep that has not begun.
                pressed = busy or len(ripe) >= _AT_ONCE_BUSY
                since = max(self._sweep.since, time.monotonic() - self._interval_s)
                await self._publish(await self._due.histories(ripe), since if pressed else math.inf)
        elif not self._on_the_way and self._ttl_s:
            await self._look(busy=busy)

    def due_in_s(self, *, busy: bool) -> float:
        """Return the seconds until the next step; 0 or less if it is due.

        Args:
            busy: Whether interactions wait.
        """
        if self._delivery.arrived:
            return 0.0
        due_in_s = [_ARRIVAL_S if self._on_the_way else 3600.0]
        if self._due:
            ripe_in_s = 0.0 if self._ripe(1) else self._interval_s / 4
            due_in_s.append(max(self._rest_s(busy=busy), ripe_in_s))
        if self._shown:
            due_in_s.append(max(0.0, self._expire_at - time.monotonic()))
        if self._ttl_s and not self._on_the_way:
            due_in_s.append(self._sweep.due_in_s(busy=busy))
        return min(due_in_s)

    def _rest_s(self, *, busy: bool) -> float:
        """Return the seconds until lists that are due may be made; many do not wait for others."""
        if len(self._due) >= _AT_ONCE and not busy:
            return 0.0
        return _PUBLISH_S if self._on_the_way else max(0.0, self._publishing.due_in_s(busy=busy))

    async def finish(self) -> None:
        """Publish all that is due, when no step is under way."""
        due = list(self._due)
        for start in range(0, len(due), _AT_ONCE):
            histories = await self._due.histories(due[start : start + _AT_ONCE])
            await self._publish(histories, math.inf)
        await self.settle()

    async def settle(self) -> None:
        """Return when the topic has all that was published, and it is noted."""
        await self._delivery.settle()
        arrived, self._on_the_way = self._on_the_way, []
        if served := [user for user in arrived if not self._due.expects(user)]:
            gone = [user for user in served if user not in self._shown]
            await self._audience.served(self._delivery.owner, served, gone)

    def _ripe(self, at_once: int) -> list[str]:
        """Return users whose lists are due and did not just change."""
        before = time.monotonic() - self._interval_s
        shown, some = self._shown, islice(self._due, 4 * _AT_ONCE)
        return list(islice((user for user in some if shown[user].published_at <= before), at_once))

    async def _publish(self, histories: Mapping[str, bytes], since: float) -> None:
        """Replace the lists of users as far as they changed.

        Args:
            histories: What each of the users has done.
            since: Monotonic time in seconds; lists of items that were read later are new enough.
        """
        if not histories:
            return
        # Lists of items that change behind this make a list of a later time.
        seq = await self._slot.tick(self._delivery.owner)
        users = list(histories)
        made = await self._blender.lists(list(histories.values()), since)
        shown = {user: self._shown[user] for user in users}
        changed = await changes(self._lists, self._blender, shown, made, seq)
        await self.settle()
        # What is replaced because lists of items changed is due until it has reached its readers.
        swept = (user for user in changed if user not in self._due)
        await self._audience.note(self._delivery.owner, swept)
        await self._replace(changed, histories, seq)
        sizes = zip(users, made.blended.size.tolist(), strict=True)
        same = {user: size for user, size in sizes if user in self._due and user not in changed}
        await self._extend({user: histories[user] for user in same}, filter(same.get, same))

    async def _replace(
        self, changed: Mapping[str, tuple[bytes, int]], histories: Mapping[str, bytes], seq: int
    ) -> None:
        """Replace lists by these, which are given with their digests, and made of histories."""
        shown = [self._shown[user] for user in changed]
        expire_at = [one.expires_at + _GRACE_S for one in shown]
        lists = {user: content for user, (content, _) in changed.items()}
        standing = await self._lists.replace(USER, list(lists.items()), seq, expire_at)
        self._outside.failpoints.reach("user-lists.replaced")
        now = time.monotonic()
        for (user, (_, digest)), one, stands in zip(changed.items(), shown, standing, strict=True):
            one.published_at = now
            if stands is None:
                # A clock that was set back: the list is due until it has caught up.
                self._due.put(user)
                del lists[user]
            else:
                one.digest = digest
                self._due.pay(user, histories[user])
        if lists:
            self._on_the_way = list(lists)
            self._delivery.send(lists)

    async def _extend(self, histories: Mapping[str, bytes], listed: Iterable[str]) -> None:
        """Note that lists are as they should be, which are made of histories; some show nothing."""
        expire_at = {user: self._shown[user].expires_at + _GRACE_S for user in listed}
        lost = set(await self._lists.extend(USER, expire_at))
        for user in lost:
            self._shown[user].digest = LOST
        paid = [one for one in histories if one not in lost and self._due.pay(one, histories[one])]
        if served := [user for user in paid if not self._due.expects(user)]:
            await self._audience.served(self._delivery.owner, served)

    async def _look(self, *, busy: bool) -> None:
        """Compare some lists with those of items, if it is time."""
        if self._sweep.due_in_s(busy=busy) > 0:
            return
        with self._sweep.pace.measured():
            quiet = time.monotonic() > self._noted_at + self._interval_s
            some = await self._sweep.next(self._shown, quiet=quiet)
            known = [user for user in some if user in self._shown and not self._due.expects(user)]
            if outdated := await self._outdated(known):
                await self._publish(outdated, self._sweep.since)
        if seen := self._sweep.ended():
            await self._audience.served(self._delivery.owner, [], seen=seen)

    async def _outdated(self, users: Sequence[str]) -> dict[str, bytes]:
        """Return whose lists may be others, as what they were made from changed; with histories."""
        histories = await self._due.histories(users)
        versions, short = made_of([self._shown[user] for user in histories])
        outdated = await self._blender.outdated(
            list(histories.values()), versions, short, self._sweep.since
        )
        return dict(compress(histories.items(), outdated))

    async def _expire(self) -> None:
        """Remove lists of users who were not seen for long: they are first."""
        self._expire_at = time.monotonic() + _EXPIRY_S
        before = time.time() if self._ttl_s else math.inf
        first = expired(self._shown, before, _AT_ONCE)
        gone = [user for user in first if not self._due.expects(user)]
        if not gone:
            return
        await self.settle()
        seq = await self._slot.tick(self._delivery.owner)
        standing = await self._lists.replace(USER, [(user, b"") for user in gone], seq)
        if len(gone) == _AT_ONCE:
            # Those that are due have their turn in between.
            self._expire_at = time.monotonic() + _PUBLISH_S
        # A clock that was set back: some are to go when it has caught up.
        gone = [user for user, now in zip(gone, standing, strict=True) if now is not None]
        if gone:
            self._delivery.send(dict.fromkeys(gone, b""))
        for user in gone:
            # Whoever did something just now gets a list again, even one of the same entries.
            self._shown[user].digest = LOST
            if not self._due.expects(user):
                del self._shown[user]
        self._on_the_way = gone
