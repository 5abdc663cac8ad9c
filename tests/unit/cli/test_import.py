"""`streamapp import` without a broker: what a dry run says, and what ends it."""

import sys
from pathlib import Path

import orjson
import pytest

from streamapp.cli.main import app
from streamapp.cli.terminal.outcome import run
from streamapp.config.loader import load_settings

LOG = """user_id,item_id,type,ts
ann,tent,click,1700000000
ann,stove,fly,1700000000
,stove,click,1700000000
ann,stove,click
"""


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Load the settings again in every test, away from any `.env` file."""
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()


def imported(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run the command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["streamapp", "import", *arguments])
    with pytest.raises(SystemExit) as caught:
        run(app, "streamapp")
    return caught.value.code


def test_a_dry_run_says_what_would_count_be_skipped_and_be_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It needs no broker; each code has an example."""
    (tmp_path / "a.csv").write_text(LOG)
    assert not imported(monkeypatch, "a.csv", "--dry-run", "--json")
    report = orjson.loads(capfdbinary.readouterr().out)
    assert report == {
        "lines": 4,
        "counted": 1,
        "skipped": {"fly": 1},
        "refused": {"missing_id": 1, "3 fields, not 4": 1},
        "examples": report["examples"],
        "sent": {},
    }
    assert report["examples"]["3 fields, not 4"]["event"] == "ann,stove,click"

    assert not imported(monkeypatch, "a.csv", "--dry-run")
    printed = capfdbinary.readouterr().out.decode()
    assert "4 lines, nothing was sent" in printed
    assert "skipped, of unknown type 'fly'" in printed
    assert "first refused, user_id is missing or empty: {" in printed


def test_files_of_which_no_line_counts_are_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command says why, and fails before it connects."""
    (tmp_path / "a.csv").write_text(LOG.replace("ann,tent,click", "ann,tent,fly"))
    assert imported(monkeypatch, "a.csv") == 1
    said = capfd.readouterr()
    assert "skipped, of unknown type 'fly'" in said.out
    assert said.err == "streamapp: nothing was sent: no line is an event that counts\n"


def test_a_file_that_is_malformed_at_its_end_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All files are checked before the first event is sent."""
    (tmp_path / "a.csv").write_text(LOG)
    (tmp_path / "b.csv").write_text(LOG + 'ann,"tent,click,1700000000\n')
    assert imported(monkeypatch, "a.csv", "b.csv") == 2
    assert capfd.readouterr().err.startswith("streamapp: b.csv, line 6: ")


def test_without_pyarrow_the_message_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command alone needs it."""
    for name in list(sys.modules):
        if name.startswith(("pyarrow", "streamapp.importing", "streamapp.cli.importing")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert imported(monkeypatch, "a.csv") == 2
    assert "import needs pyarrow: install the extra `import`" in capfd.readouterr().err
