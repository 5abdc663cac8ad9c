"""The users whose lists are to be made, and their newest histories."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

Stored = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]


class PendingUsers:
    """Users who are due a list, in the order in which they became due.

    Histories are prepared before they are stored, and their users are due once they are. A list is
    made in the background, so its user may be due again when the list is there.

    Args:
        stored: Returns stored histories by user; it may leave users out.
        users: The users who are due already.
    """

    def __init__(self, stored: Stored, users: Iterable[str] = ()) -> None:
        self._stored = stored
        self._prepared: Mapping[str, bytes] = {}
        self._histories: dict[str, bytes | None] = dict.fromkeys(users)

    def __len__(self) -> int:
        """Return how many users are due."""
        return len(self._histories)

    def __iter__(self) -> Iterator[str]:
        """Return the users who are due."""
        return iter(self._histories)

    def is_due(self, user: str) -> bool:
        """Say whether a user is due."""
        return user in self._histories

    def is_due_or_prepared(self, user: str) -> bool:
        """Say whether a user is due, or will be once the prepared histories are stored."""
        return user in self._histories or user in self._prepared

    def prepare(self, histories: Mapping[str, bytes]) -> None:
        """Take in histories that are about to be stored."""
        self._prepared = histories

    def activate(self) -> Mapping[str, bytes]:
        """Make the users of the prepared histories due; return these histories."""
        prepared, self._prepared = self._prepared, {}
        self._histories.update(prepared)
        return prepared

    def requeue(self, user: str) -> None:
        """Make a user due whose history is stored."""
        self._histories.setdefault(user, None)

    def complete(self, user: str, history: bytes) -> bool:
        """Take a user off, unless the user did more since `history`; say whether that happened."""
        due = self._histories.get(user)
        # The identity counts, not the bytes: a repeated event can leave an equal history, and the
        # list must still be completed for that event, because it lives longer by it.
        if due is not None and due is not history:
            return False
        self._histories.pop(user, None)
        return True

    async def histories(self, users: Collection[str]) -> dict[str, bytes]:
        """Return the histories of users, as far as they are stored."""
        held = ((user, self._histories.get(user)) for user in users)
        known = {user: history for user, history in held if history is not None}
        missing = [user for user in users if user not in known]
        return known | dict(await self._stored(missing)) if missing else known
