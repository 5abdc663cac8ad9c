"""Compares the lists of all users of a partition with item lists that changed.

Shards count in their heads how many lists they have published. If a sweep begins after these counts
were read, then at its end every user list has been compared with the item lists of these counts. It
begins when the counts stop rising, because lists that are made earlier would be made again. If the
counts never stop, it begins now and then, and within one interval if the catalogue hid something
that item lists no longer show. Such a sweep is urgent. Other sweeps take the time that incoming
records leave.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import compress

from streamapp.agents.polling.poll import Poll
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.input_debounce import InputDebounce
from streamapp.agents.user_lists.blender import UserListBlender
from streamapp.agents.user_lists.pending_users import PendingUsers
from streamapp.agents.user_lists.published import PublishedList, sources
from streamapp.agents.user_lists.publisher import UserListPublisher

_USERS_AT_ONCE = 128

_PATIENCE = 30
"""Intervals between two sweeps while item lists change all the time (ADR-0029)."""

_REST = 1
"""While interactions wait, an urgent sweep takes half of the time at most."""


class UserSweep:
    """The sweeps over one partition.

    Args:
        context: Settings and connections.
        publisher: Publishes the lists that changed.
        blender: Knows which lists may have changed.
        pending: The users who are due a list; a sweep leaves them out.
        published: The known state of published lists, by user.
        shards: How many shards publish item lists.
    """

    def __init__(
        self,
        context: StageContext,
        publisher: UserListPublisher,
        blender: UserListBlender,
        pending: PendingUsers,
        published: Mapping[str, PublishedList],
        shards: int,
    ) -> None:
        self._versions = context.versions
        self._shards = shards
        self._publisher = publisher
        self._blender = blender
        self._pending = pending
        self._published = published
        interval_s = context.settings.refresh_interval
        self._debounce = InputDebounce(interval_s, time.monotonic(), _PATIENCE)
        self._poll = Poll(context.heads, self._debounce.poll_s, self._debounce.idle_poll_s)
        self._cycle = DutyCycle(0.0, _REST)
        self._budget = context.budget
        self._queue: list[str] = []
        self._sweeping = ""
        self._update_offsets: Sequence[int] = [0] * shards
        self._swept_update_offsets: Sequence[int] = self._update_offsets
        self._urgent = False

    @property
    def read_after(self) -> float:
        """Monotonic time in seconds; item lists that were read later are new enough."""
        return self._debounce.changed_at

    def due_in_s(self, *, busy: bool) -> float:
        """Return the seconds until the next step.

        Args:
            busy: Whether interactions wait.
        """
        if not self._sweeping:
            return self._poll.due_in_s
        if self._urgent:
            return max(0.0, self._cycle.due_in_s(busy=busy))
        return max(0.0, self._budget.due_in_s(self._cycle))

    async def step(self, *, busy: bool, quiet: bool) -> str:
        """Compare some lists if it is time, and publish those that changed.

        Args:
            busy: Whether interactions wait.
            quiet: Whether the partition itself is idle.

        Returns:
            The version of the item lists with which all lists were compared, where that has ended
            with this step; else "".
        """
        if self.due_in_s(busy=busy) > 0:
            return ""
        with self._cycle.measured():
            some = await self._next(quiet=quiet)
            pending, published = self._pending, self._published
            users = [
                user for user in some if user in published and not pending.is_due_or_prepared(user)
            ]
            if users and (outdated := await self._outdated(users)):
                await self._publisher.publish(outdated, self.read_after)
        if not self._sweeping or self._queue:
            return ""
        version, self._sweeping = self._sweeping, ""
        self._budget.end(self._cycle)
        self._debounce.finish(version)
        return version

    def close(self) -> None:
        """End a sweep that is under way; the other sweeps of the worker get its time."""
        self._budget.end(self._cycle)

    async def _next(self, *, quiet: bool) -> list[str]:
        """Return the users to compare next; start a sweep if it is time."""
        if not self._sweeping:
            version = await self._version()
            now_s = time.monotonic()
            if not self._debounce.ready(version, now_s, quiet=quiet, urgent=self._urgent):
                return []
            self._debounce.ran(now_s)
            self._sweeping = version
            self._swept_update_offsets = self._update_offsets
            self._budget.begin(self._cycle)
            self._queue = list(self._published)
        elif not self._urgent and self._poll.due_in_s <= 0:
            # Items hidden since this sweep began wait for the next one, so this one hurries.
            await self._version()
        some = self._queue[-_USERS_AT_ONCE:]
        del self._queue[-_USERS_AT_ONCE:]
        return some

    async def _outdated(self, users: Sequence[str]) -> dict[str, bytes]:
        """Return the histories of the users whose lists may have changed."""
        histories = await self._pending.histories(users)
        versions, short = sources([self._published[user] for user in histories])
        outdated = await self._blender.outdated(
            list(histories.values()), versions, short, self.read_after
        )
        return dict(compress(histories.items(), outdated))

    async def _version(self) -> str:
        """Read the version of the item lists, and whether a sweep is urgent."""
        self._poll.begin()
        version = await self._versions.read(self._shards)
        self._update_offsets = version.update_offsets or self._update_offsets
        self._urgent = self._update_offsets != self._swept_update_offsets
        self._poll.end(idle=self._debounce.is_finished(version.text))
        return version.text
