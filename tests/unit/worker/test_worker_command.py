"""`streamapp worker` gives the cause of its end in one line, also after a crash in Faust."""

import os
from typing import Any, NoReturn

import faust
import pytest

from streamapp.cli import worker


class EndedError(Exception):
    """In place of the end of the process."""


class Crashing:
    """A Faust worker that an error within Faust ends."""

    crash_reason: BaseException | None = None

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def execute_from_commandline(self) -> NoReturn:
        """End as Faust does: the reason is only the context of the exit."""
        end = SystemExit(1)
        end.__context__ = ConnectionError("nobody answers")
        raise end


class Stopping(Crashing):
    """A Faust worker that was asked to end."""

    def execute_from_commandline(self) -> NoReturn:
        """End well."""
        raise SystemExit(0)


def ended(monkeypatch: pytest.MonkeyPatch, kind: type[Crashing]) -> list[int]:
    """Run a worker of a kind; return its exit code."""
    codes: list[int] = []

    def end(code: int) -> NoReturn:
        codes.append(code)
        raise EndedError

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(faust, "Worker", kind)
    with pytest.raises(EndedError):
        worker.run_worker()
    return codes


def test_a_crash_within_faust_is_one_line_that_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the process exits with 1."""
    assert ended(monkeypatch, Crashing) == [1]
    said = capsys.readouterr().err
    assert said.startswith("streamapp: the worker stops, ConnectionError: nobody answers; nothing")
    assert said.count("\n") == 1


def test_a_worker_that_was_asked_to_end_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the process exits with 0."""
    assert ended(monkeypatch, Stopping) == [0]
    assert capsys.readouterr().err == ""
