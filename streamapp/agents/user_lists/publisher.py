"""Publishes lists of users in Redis and on the output topic."""

from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.user_lists.blender import UserListBlender
from streamapp.agents.user_lists.made_lists import MadeLists
from streamapp.agents.user_lists.pending_users import PendingUsers
from streamapp.agents.user_lists.published import PublishedList, differing, record_sources
from streamapp.agents.user_lists.server_clock import ServerClock
from streamapp.core.list_kinds import USER
from streamapp.core.lists.list_changes import content_differs
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex

_GRACE_S = 60
"""Seconds by which the expiry in Redis is later than the removal by a worker.

Only the worker also sends null to the topic.
"""


class _Change(NamedTuple):
    """A list that differs from the published one, and its digests as in `MadeLists`."""

    content: bytes
    digest: int
    order: int


class UserListPublisher:
    """Publishes the lists of one partition, one batch at a time.

    Args:
        context: Settings and connections.
        slot: The slot of the histories.
        index: The users who have a list, in that slot.
        sender: Sends lists for the owner of the slot; its `in_flight` are their users.
        blender: Makes the lists.
        pending: The users who are due a list.
        published: The known state of published lists, by user.

    Attributes:
        sender: As above.
        clock: The clock by which lists are removed.
    """

    def __init__(
        self,
        context: StageContext,
        slot: Slot,
        index: UserListIndex,
        sender: ListSender[list[str]],
        blender: UserListBlender,
        pending: PendingUsers,
        published: Mapping[str, PublishedList],
    ) -> None:
        self.sender = sender
        self.clock = ServerClock(slot.ownership.server_time)
        self._lists = context.lists
        self._failpoints = context.failpoints
        self._slot = slot
        self._index = index
        self._blender = blender
        self._pending = pending
        self._published = published
        self._tolerance = context.settings.list_tolerance

    async def publish(self, histories: Mapping[str, bytes], read_after: float) -> None:
        """Make lists, and replace those that changed.

        Args:
            histories: The history of each user.
            read_after: Monotonic time in seconds; item lists that were read later are new enough.

        Raises:
            ClaimLostError: another worker has claimed the partition.
        """
        if not histories:
            return
        # The clock is read before the item lists, so a list of a later `seq` has newer sources.
        seq = await self._slot.ownership.next_timestamp(self.sender.owner)
        made = await self._blender.make(list(histories.values()), read_after)
        changed = await self._changed(list(histories), made, seq)
        await self.join()
        # A list that a sweep replaces is due until it has reached its readers.
        swept = (user for user in changed if not self._pending.is_due(user))
        await self._index.mark_pending(self.sender.owner, swept)
        await self._replace(changed, histories, seq)
        sizes = zip(histories, made.blended.size.tolist(), strict=True)
        same = {
            user: size for user, size in sizes if self._pending.is_due(user) and user not in changed
        }
        await self._extend({user: histories[user] for user in same}, filter(same.get, same))

    async def remove(self, users: Sequence[str]) -> list[str]:
        """Remove lists from Redis and the topic; return the users whose lists were removed.

        A list stays if it is newer, because the clock was set back. The next call removes it.

        Raises:
            ClaimLostError: another worker has claimed the partition.
        """
        await self.join()
        seq = await self._slot.ownership.next_timestamp(self.sender.owner)
        stored = await self._lists.replace(USER, [(user, b"") for user in users], seq)
        removed = [user for user, now in zip(users, stored, strict=True) if now is not None]
        if removed:
            self.sender.send(dict.fromkeys(removed, b""), seq, removed)
        await self._pass(users, stored)
        return removed

    async def join(self) -> None:
        """Wait until the topic has the lists in flight, and store that they have arrived."""
        arrived = await self.sender.join() or []
        if served := [user for user in arrived if not self._pending.is_due_or_prepared(user)]:
            gone = [user for user in served if user not in self._published]
            await self._index.complete(self.sender.owner, served, gone)

    async def _changed(self, users: Sequence[str], made: MadeLists, seq: int) -> dict[str, _Change]:
        """Return the lists that differ from the published ones."""
        published = [self._published[user] for user in users]
        record_sources(published, made)
        if not (lines := differing(published, made)):
            return {}
        names = [users[line] for line in lines]
        contents = self._blender.encode(made, lines, names, seq)
        digests = made.digest[lines].tolist()
        orders = digests if made.order is made.digest else made.order[lines].tolist()
        changed = dict(zip(names, map(_Change, contents, digests, orders), strict=True))
        unread = [
            name
            for name, one in changed.items()
            if self._published[name].must_read(one.content, one.order)
        ]
        for name, stored in zip(unread, await self._lists.get_many(USER, unread), strict=True):
            one = changed[name]
            if not content_differs(stored, one.content, self._tolerance):
                self._published[name].stand_for(one.digest, one.order)
                del changed[name]
        return changed

    async def _replace(
        self, changed: Mapping[str, _Change], histories: Mapping[str, bytes], seq: int
    ) -> None:
        """Replace lists that were made of these histories."""
        published = [self._published[user] for user in changed]
        expire_at = [one.expires_at + _GRACE_S for one in published]
        lists = {user: change.content for user, change in changed.items()}
        stored = await self._lists.replace(USER, list(lists.items()), seq, expire_at)
        self._failpoints.reach("user-lists.replaced")
        now_s = monotonic()
        for (user, change), one, now in zip(changed.items(), published, stored, strict=True):
            one.published_at = now_s
            if now is None:
                # Redis holds a later list, because the clock was set back: the list stays due.
                self._pending.requeue(user)
                del lists[user]
            else:
                one.stand_for(change.digest, change.order)
                self._pending.complete(user, histories[user])
        if lists:
            self.sender.send(lists, seq, list(lists))
        await self._pass(list(changed), stored)

    async def _pass(self, users: Sequence[str], stored: Sequence[bytes | None]) -> None:
        """Let the clock of the slot pass the lists that were later than it.

        Args:
            users: Users whose lists were to be replaced.
            stored: For each, None if a later list is stored.

        Raises:
            ClaimLostError: another worker has claimed the partition, and made these lists.
        """
        if None in stored:
            names = [user for user, now in zip(users, stored, strict=True) if now is None]
            seqs = [seq for _, seq in await self._lists.get_versions(USER, names)]
            await self._slot.ownership.next_timestamp(self.sender.owner, after=max(seqs))

    async def _extend(self, histories: Mapping[str, bytes], listed: Iterable[str]) -> None:
        """Let lists live longer that are still right; complete their users.

        Args:
            histories: The histories behind the lists, by user.
            listed: The users whose list is not empty.
        """
        expire_at = {user: self._published[user].expires_at + _GRACE_S for user in listed}
        lost = set(await self._lists.extend(USER, expire_at))
        for user in lost:
            self._published[user].republish()
        complete = self._pending.complete
        done = [one for one in histories if one not in lost and complete(one, histories[one])]
        if served := [user for user in done if not self._pending.is_due_or_prepared(user)]:
            await self._index.complete(self.sender.owner, served)
