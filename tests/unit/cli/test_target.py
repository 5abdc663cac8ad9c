"""The file that a command writes when its work is done: refused before the work begins."""

import os
from pathlib import Path

import pytest

from streamapp.cli.terminal.target import check_target, write_target
from streamapp.errors import ConfigError


def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, a file in no folder or within a file, and one that may not be written."""
    (tmp_path / "there").write_text("kept")
    for name, reason in (
        ("", "is a folder"),
        ("nowhere/new", "there is no folder"),
        ("there/new", "there is no folder"),
    ):
        with pytest.raises(ConfigError, match=reason):
            check_target(tmp_path / name)
    check_target(tmp_path / "there")
    check_target(tmp_path / "new")
    # Root may write everywhere, so what the system says of others is made up.
    monkeypatch.setattr(os, "access", lambda *_: False)
    for name in ("there", "new"):
        with pytest.raises(ConfigError, match="may not be written"):
            check_target(tmp_path / name)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("there", "kept")]


def test_a_disk_that_is_full_by_then_is_an_error_in_one_line() -> None:
    """It could not be known before."""
    with pytest.raises(ConfigError, match=r"^/dev/full: cannot be written: No space left"):
        write_target(Path("/dev/full"), b"report")
