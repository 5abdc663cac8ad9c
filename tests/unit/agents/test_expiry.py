"""How long until lists are looked at that may have expired."""

from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.agents.scheduling import due_time
from streamapp.agents.user_lists import server_clock
from streamapp.agents.user_lists.expiry import ListExpiry
from streamapp.agents.user_lists.pending_users import PendingUsers
from streamapp.agents.user_lists.published import PublishedList
from streamapp.agents.user_lists.server_clock import ServerClock

NOW = 1_700_000_000


class Publisher:
    """Remembers which lists it removed."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.clock = ServerClock(self._now)

    async def _now(self) -> float:
        return float(NOW)

    async def remove(self, users: list[str]) -> list[str]:
        """Remove all of them."""
        self.removed += users
        return users


async def stepped(
    monkeypatch: pytest.MonkeyPatch, expires_in_s: list[int], *, makes_lists: bool = True
) -> tuple[float, int]:
    """Step once; return the seconds until the next step, and how many lists were removed."""
    for module in (due_time, server_clock):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    published = {
        f"u{number}": PublishedList(NOW + expires_in_s[number])
        for number in range(len(expires_in_s))
    }
    publisher: Any = Publisher()

    async def stored(_: Any) -> dict[str, bytes]:
        return {}

    expiry = ListExpiry(publisher, PendingUsers(stored), published, makes_lists=makes_lists)
    await expiry.step()
    return expiry.due_time.due_in_s, len(publisher.removed)


@pytest.mark.parametrize(
    ("expires_in_s", "wait_s", "removed"),
    [
        ([], 1.0, 0),
        ([1], 1.0, 0),
        ([7, 9], 7.0, 0),
        ([86_400], 60.0, 0),
        ([-5, 86_400], 1.0, 1),
        ([0, 0], 1.0, 2),
        ([-5] * 500, 0.02, 500),
        ([-5] * 600, 0.02, 500),
    ],
)
async def test_the_next_look_is_when_the_first_list_expires(
    monkeypatch: pytest.MonkeyPatch, expires_in_s: list[int], wait_s: float, removed: int
) -> None:
    """After a second at the earliest, and a minute at the latest, because clocks may be set."""
    due_in_s, count = await stepped(monkeypatch, expires_in_s)
    assert due_in_s == pytest.approx(wait_s)
    assert count == removed


async def test_where_no_lists_are_made_all_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they had to live."""
    assert (await stepped(monkeypatch, [86_400] * 3, makes_lists=False))[1] == 3
