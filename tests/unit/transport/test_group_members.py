"""The members of the group are those that Kafka names, and no answer is no permission."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from streamapp.config.settings import Settings
from streamapp.errors import UnansweredError
from streamapp.transport import group_members
from streamapp.transport.group_members import described_members, live_members

AT_WORK = ("one-77ab", "faust", "/10.0.0.7", b"", b"")
LEFT_LONG_AGO = ("faust-12cd", "", "", b"", b"")


class Admin:
    """In place of the client for administration: answers one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        """Return the next answer; the last one is repeated."""
        self.asked.append(groups)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [answer]


def answered(*members: Any, code: int = 0) -> Any:
    """Return the answer about one group."""
    state = "Stable" if members else "Empty"
    group = (code, "shop", state, "consumer", "faust", list(members), -1)
    return SimpleNamespace(groups=[group])


async def members(*answers: Any) -> tuple[list[str], int]:
    """Return the members that are found, and how often Kafka was asked."""
    admin: Any = Admin(*answers)
    found = await described_members(admin, "shop")
    assert all(asked == ["shop"] for asked in admin.asked)
    return found, len(admin.asked)


async def test_members_are_named_with_their_hosts() -> None:
    """In byte order; a member that the embedded broker has not forgotten does not count."""
    other = ("b-1", "faust", "/10.0.0.8", b"", b"")
    assert await members(answered()) == ([], 1)
    assert await members(answered(AT_WORK, LEFT_LONG_AGO, other)) == (
        ["b-1 at 10.0.0.8", "one-77ab at 10.0.0.7"],
        1,
    )


async def test_a_coordinator_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it cannot be found, or says that it is another one (16)."""
    monkeypatch.setattr(group_members, "_RETRY_S", 0)
    away = GroupCoordinatorNotAvailableError()
    found = await members(away, answered(code=16), answered(AT_WORK))
    assert found == (["one-77ab at 10.0.0.7"], 3)


async def test_a_right_that_is_missing_is_no_empty_group() -> None:
    """The error of Kafka goes on (30)."""
    with pytest.raises(GroupAuthorizationFailedError):
        await members(answered(code=30))


async def test_a_coordinator_that_stays_away_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the name of the group."""

    @asynccontextmanager
    async def administration(_: Settings) -> AsyncIterator[Admin]:
        yield Admin(GroupCoordinatorNotAvailableError())

    monkeypatch.setattr(group_members, "administration", administration)
    monkeypatch.setattr(group_members, "_PATIENCE_S", 0)
    with pytest.raises(UnansweredError, match="which members the group shop has; try again"):
        await live_members(Settings(_env_file=None, group_id="shop"))
