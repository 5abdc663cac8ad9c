"""Removes the lists of users who were not seen for long."""

import math
from collections.abc import MutableMapping

from streamapp.agents.scheduling.due_time import DueTime
from streamapp.agents.user_lists.pending_users import PendingUsers
from streamapp.agents.user_lists.published import PublishedList, expired
from streamapp.agents.user_lists.publisher import UserListPublisher

_EXPIRY_S = 1.0

_LONGEST_WAIT_S = 60.0
"""Most seconds until the next look, because clocks may be set."""

_AT_ONCE = 500
"""Lists that are removed together."""

_MORE_S = 0.02
"""Pause after that many; lists that are due are published in between."""


class ListExpiry:
    """Removes lists of one partition.

    Args:
        publisher: Removes lists from Redis and the topic.
        pending: The users who are due a list; they keep it.
        published: The known state of lists, by user, the first to be removed first.
        makes_lists: Whether user lists are made; if not, all of them are removed.

    Attributes:
        due_time: When the next lists are removed.
    """

    def __init__(
        self,
        publisher: UserListPublisher,
        pending: PendingUsers,
        published: MutableMapping[str, PublishedList],
        *,
        makes_lists: bool,
    ) -> None:
        self.due_time = DueTime()
        self._publisher = publisher
        self._pending = pending
        self._published = published
        self._clock = publisher.clock
        self._makes_lists = makes_lists

    async def step(self) -> None:
        """Remove some lists if it is time."""
        if not self.due_time.is_due:
            return
        self.due_time.restart(_EXPIRY_S)
        before = await self._clock.sync() if self._makes_lists else math.inf
        first = expired(self._published, before, _AT_ONCE)
        if not first:
            self.due_time.restart(self._wait_s())
        users = [user for user in first if not self._pending.is_due_or_prepared(user)]
        if not users:
            return
        removed = await self._publisher.remove(users)
        if len(users) == _AT_ONCE:
            self.due_time.restart(_MORE_S)
        for user in removed:
            # A user who did something meanwhile gets a list again, even one of equal entries.
            self._published[user].republish()
            if not self._pending.is_due_or_prepared(user):
                del self._published[user]

    def _wait_s(self) -> float:
        """Return the seconds until the next list expires, within limits."""
        next_at = next((one.expires_at for one in self._published.values()), 0)
        return min(max(next_at - self._clock.now, _EXPIRY_S), _LONGEST_WAIT_S)
