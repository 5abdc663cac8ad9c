"""The output file of a command: refused before the work begins."""

import errno
import os
from pathlib import Path

import pytest

from streamapp.cli.terminal.target import check_target, open_target, write_target
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
    # Root may write everywhere, so the refusal for others is simulated.
    monkeypatch.setattr(os, "access", lambda *_: False)
    for name in ("there", "new"):
        with pytest.raises(ConfigError, match="may not be written"):
            check_target(tmp_path / name)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("there", "kept")]


def test_a_disk_that_is_full_by_then_is_an_error_in_one_line() -> None:
    """It could not be known before."""
    with pytest.raises(ConfigError, match=r"^/dev/full: cannot be written: No space left"):
        write_target(Path("/dev/full"), b"report")


def test_a_file_is_replaced_only_when_all_of_the_new_one_is_written(tmp_path: Path) -> None:
    """A disk that is full in the middle leaves the file of yesterday, and nothing beside it."""
    file = tmp_path / "report"
    file.write_bytes(b"yesterday")

    def fail() -> None:
        with open_target(file) as target:
            target.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ConfigError, match="No space left"):
        fail()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [
        ("report", b"yesterday")
    ]
    with pytest.raises(KeyboardInterrupt), open_target(tmp_path / "new"):
        raise KeyboardInterrupt
    assert [one.name for one in tmp_path.iterdir()] == ["report"]


def test_a_link_and_the_mode_of_a_file_outlive_the_new_content(tmp_path: Path) -> None:
    """The operator's own set-up stays."""
    file, link = tmp_path / "report", tmp_path / "latest"
    file.write_bytes(b"yesterday")
    file.chmod(0o640)
    link.symlink_to(file)
    write_target(link, b"today")
    assert link.is_symlink()
    assert file.read_bytes() == b"today"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["latest", "report"]
