"""Removes the lists of users who are forgotten, and tells the topic so.

A record without a value under the key of a user is the receipt: the history, the counts and the
list of this user are gone. It is sent also for a user who had no list, or whom nobody knew.
"""

from collections.abc import Collection, Iterable, MutableMapping
from itertools import islice

from streamapp.agents.scheduling.due_time import NEVER, DueTime
from streamapp.agents.user_lists.pending_users import PendingUsers
from streamapp.agents.user_lists.published import PublishedList
from streamapp.agents.user_lists.publisher import UserListPublisher
from streamapp.store.values.user_list_index import UserListIndex

_AT_ONCE = 500
"""Receipts that are sent together."""

_RETRY_S = 0.1
"""Seconds after which receipts that could not be sent are tried again."""


class Receipts:
    """The receipts of one partition that are not on the topic yet.

    Args:
        publisher: Removes lists from Redis and the topic.
        index: The users who have a list, or are due one or a receipt.
        pending: The users who are due a list, because they came back.
        published: The known state of lists, by user.
    """

    def __init__(
        self,
        publisher: UserListPublisher,
        index: UserListIndex,
        pending: PendingUsers,
        published: MutableMapping[str, PublishedList],
    ) -> None:
        self._publisher = publisher
        self._index = index
        self._pending = pending
        self._published = published
        self._prepared: Collection[str] = ()
        self._users: dict[str, None] = {}
        self._retry = DueTime()

    def __len__(self) -> int:
        """Return how many receipts are due."""
        return len(self._users)

    def __contains__(self, user: str) -> bool:
        """Say whether a receipt is due, or will be once the prepared ones are."""
        return user in self._users or user in self._prepared

    @property
    def due_in_s(self) -> float:
        """The seconds until a step is due."""
        return self._retry.due_in_s if self._users else NEVER

    def prepare(self, users: Collection[str]) -> None:
        """Take in users whose histories are about to be removed."""
        self._prepared = users

    def activate(self) -> None:
        """Make the prepared receipts due."""
        prepared, self._prepared = self._prepared, ()
        self.add(prepared)

    def add(self, users: Iterable[str]) -> None:
        """Make receipts due."""
        self._users.update(dict.fromkeys(users))
        self._retry.restart(0.0)

    async def step(self) -> bool:
        """Remove lists and send receipts, if any are due; return whether any was sent.

        A receipt stays due while Redis holds a later list, because the clock was set back.

        Raises:
            ClaimLostError: another worker has claimed the partition.
        """
        users = list(islice(self._users, _AT_ONCE))
        if not users:
            return False
        removed = await self._publisher.remove(users)
        for user in removed:
            del self._users[user]
        histories = await self._pending.histories(removed)
        for user in removed:
            if not histories.get(user):
                self._pending.drop_without_history(user)
            if user in self._published:
                self._published[user].republish()
                if not self._pending.is_due_or_prepared(user):
                    del self._published[user]
        # Once a receipt has arrived, the index forgets its user.
        await self._publisher.join()
        await self._mark_again(removed)
        if not removed:
            self._retry.restart(_RETRY_S)
        return bool(removed)

    async def _mark_again(self, users: Iterable[str]) -> None:
        """Mark users who came back: their list is due, and another receipt if they left again."""
        owner, published = self._publisher.sender.owner, self._published
        for user in users:
            until = published[user].expires_at if user in published else 1
            if user in self:
                await self._index.mark_pending(owner, [user], -until)
            elif self._pending.is_due_or_prepared(user):
                await self._index.mark_pending(owner, [user], until)
