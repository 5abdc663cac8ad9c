"""PendingUsers: the users whose lists are to be made, and what they have done by now."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

Stored = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]


class PendingUsers:
    """Users by the order in which their lists became due.

    Histories are noted before they are stored, and due when they are. A list is made beside that,
    so its user may be due again when it is there.

    Args:
        stored: Returns the histories of users that are stored; some may be left out.
        users: Who is due already.
    """

    def __init__(self, stored: Stored, users: Iterable[str] = ()) -> None:
        self._stored = stored
        self._noted: Mapping[str, bytes] = {}
        self._histories: dict[str, bytes | None] = dict.fromkeys(users)

    def __len__(self) -> int:
        """Return how many are due."""
        return len(self._histories)

    def __iter__(self) -> Iterator[str]:
        """Return those who are due."""
        return iter(self._histories)

    def __contains__(self, user: str) -> bool:
        """Say whether a user is due."""
        return user in self._histories

    def expects(self, user: str) -> bool:
        """Say whether a user is due, or is to be when what was noted is stored."""
        return user in self._histories or user in self._noted

    def note(self, histories: Mapping[str, bytes]) -> None:
        """Note histories that are about to be stored."""
        self._noted = histories

    def owe(self) -> Mapping[str, bytes]:
        """Have those be due that were noted last; return their histories."""
        noted, self._noted = self._noted, {}
        self._histories.update(noted)
        return noted

    def put(self, user: str) -> None:
        """Have a user be due whose history is stored."""
        self._histories.setdefault(user, None)

    def pay(self, user: str, history: bytes) -> bool:
        """Say whether a list of `history` is all that is due to a user, who then is due no more."""
        due = self._histories.get(user)
        if due is not None and due is not history:
            return False
        self._histories.pop(user, None)
        return True

    async def histories(self, users: Collection[str]) -> dict[str, bytes]:
        """Return what users have done, as far as it is stored."""
        held = ((user, self._histories.get(user)) for user in users)
        known = {user: history for user, history in held if history is not None}
        missing = [user for user in users if user not in known]
        return known | dict(await self._stored(missing)) if missing else known
