"""The command line: wrong usage is one line and code 2, and help is quick."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from loadtest.__main__ import app as loadtest_app
from streamapp.cli.main import app
from streamapp.cli.terminal.outcome import run
from streamapp.config.loader import load_settings
from streamapp.errors import ConfigError, StateError

HEAVY = {"faust", "numba", "numpy", "scipy", "redis", "aiokafka", "rich.progress", "pydantic"}


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Load the settings again in every test, away from any `.env` file."""
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()


def ended(
    commands: typer.Typer, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> int | str | None:
    """Run a command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as caught:
        run(commands, "streamapp")
    return caught.value.code


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "Missing command"),
        (["fly"], "No such command 'fly'"),
        (["show"], "Missing command"),
        (["show", "item"], "Missing argument 'ID'"),
        (["show", "item", "a", "b"], "unexpected extra argument"),
        (["show", "item", "-12345"], "goes behind --, as in streamapp show item -- -12345 (see"),
        (["explain", "a", "-b"], "goes behind --, as in streamapp explain -- -b (see"),
        (["status", "-12345"], "No such option: -1 (see"),
        (["show", "item", "--jsn"], "No such option: --jsn"),
        (["explain", "a"], "Missing argument 'ITEM'"),
        (["explain", "a", "a"], "an item has no score with itself"),
        (["status", "--yaml"], "No such option: --yaml"),
        (["audit"], "Missing option '--log'"),
        (["audit", "--log", "nowhere.csv"], "nowhere.csv: the log cannot be read"),
        (["audit", "--log", "a.csv", "--log", "b.csv", "c.csv"], "behind one --log"),
        (["audit", "--log", "a.csv", "--timeout", "-1"], "greater than or equal to 0"),
        (["import"], "Missing argument 'FILE...'"),
        (["import", "nowhere.csv"], "nowhere.csv: the file cannot be read: No such file"),
        (["import", "a.csv", "--format", "xml"], "--format xml: one of csv, jsonl, parquet"),
        (["import", "a.csv", "--preset", "movies"], "--preset movies: one of rees46"),
        (["import", "a.csv", "--columns", "who=user_id"], "--columns who=user_id: field=column"),
        (["forget"], "Missing argument 'ID'"),
        (["forget", ""], "ID is missing or empty"),
        (["export-user"], "Missing argument 'ID'"),
        (["deadletters"], "Missing command"),
        (["deadletters", "list", "--code", "no_json"], "--code no_json: no dead letter has it"),
        (
            ["deadletters", "list", "--topic", "click"],
            "click is no topic with dead letters: it is one of",
        ),
        (["deadletters", "list", "--since", "soon"], "--since soon: write how long ago"),
        (["deadletters", "list", "--since", "inf"], "--since inf: write how long ago"),
        (["deadletters", "list", "--limit", "0"], "greater than or equal to 1"),
        (["deadletters", "show", "clicks"], "clicks is no address: write TOPIC:PARTITION:OFFSET"),
        (["deadletters", "show", "0:7"], "0:7 names no topic: write it in front"),
        (["deadletters", "show", "clicks:0:7", "--since", "1h"], "but not both"),
        (["deadletters", "show", "lists:0:7"], "lists is no topic with dead letters"),
        (["deadletters", "replay", "--after", "7"], "7 is no address"),
        (["deadletters", "replay", "clicks:0:7", "--since", "1h"], "but not both"),
        (["export", "nowhere/file.npz"], "there is no folder nowhere"),
        (["embedded", "--kafka-port", "70000"], "less than or equal to 65535"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    arguments: list[str],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing on standard output, no traceback, no box."""
    assert ended(app, arguments, monkeypatch) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("streamapp: ")
    assert printed.err.count("\n") == 1
    assert hint in printed.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["replay"], "Missing argument 'FILE...'"),
        (["replay", "a.csv", "--max", "--rate", "3"], "choose one of --rate, --speedup and --max"),
        (["replay", "a.csv", "--rate", "0"], "--rate 0: a number over 0 is needed"),
        (["replay", "a.csv", "--speedup", "nan"], "--speedup nan: a number over 0 is needed"),
    ],
)
def test_wrong_usage_of_the_load_test_likewise(
    arguments: list[str],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before any read or message."""
    assert ended(loadtest_app, arguments, monkeypatch) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("commands", "arguments"),
    [
        (app, []),
        (app, ["worker"]),
        (app, ["show"]),
        (app, ["show", "item"]),
        (app, ["audit"]),
        (loadtest_app, []),
        (loadtest_app, ["replay"]),
        (loadtest_app, ["bench"]),
    ],
)
def test_every_command_is_asked_for_help_in_two_ways(
    commands: typer.Typer,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both say the same."""
    said = []
    for option in ("-h", "--help"):
        assert not ended(commands, [*arguments, option], monkeypatch)
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert "Usage: streamapp" in said[0].out


@pytest.mark.parametrize("command", [["worker"], ["status"], ["topics"], ["show", "trending"]])
def test_an_impossible_setting_is_wrong_configuration(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For every command."""
    monkeypatch.setenv("STREAMAPP_TOP_N", "0")

    assert ended(app, command, monkeypatch) == 2
    assert capsys.readouterr().err.startswith("streamapp: STREAMAPP_TOP_N='0': ")


@pytest.mark.parametrize("command", [["status"], ["show", "item", "a"], ["explain", "a", "b"]])
def test_a_server_that_is_not_there_is_wrong_configuration(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens on port 1."""
    monkeypatch.setenv("STREAMAPP_REDIS_URL", "redis://127.0.0.1:1/0")

    assert ended(app, command, monkeypatch) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("streamapp: STREAMAPP_REDIS_URL: ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (ConfigError("a\nb"), 2, "streamapp: a b\n"),
        (StateError("gone"), 1, "streamapp: gone\n"),
        (StateError("of \x1b[2J\x9b"), 1, "streamapp: of \\x1b[2J\\x9b\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(1), 1, ""),
        (
            UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogate"),
            2,
            "streamapp: an argument is not UTF-8\n",
        ),
        (
            UnicodeEncodeError("ascii", "日", 0, 1, "ordinal"),
            2,
            "streamapp: standard output takes ascii only; set PYTHONIOENCODING=utf-8\n",
        ),
    ],
)
def test_how_a_command_ends(
    raised: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An error is one line and its code; an interrupt and a failed check print no more."""
    failing = typer.Typer()

    @failing.command()
    def _fail() -> None:
        raise raised

    assert ended(failing, [], monkeypatch) == code
    assert capsys.readouterr().err == line


def test_the_commands_can_be_listed_without_what_they_need() -> None:
    """Faust and Numba take a second to import, and help does not need them."""
    program = f"import sys, streamapp.cli.main; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        "topics",
        "rebuild",
        *(
            f"reports.{name}"
            for name in ("status", "show", "explain", "export", "audit", "footprint")
        ),
        *(f"deadletters.{name}" for name in ("listing", "showing", "replaying")),
    ],
)
def test_a_command_other_than_the_worker_needs_neither_faust_nor_numba(command: str) -> None:
    """It would answer a second later."""
    slow = "{'faust', 'numba'} & set(sys.modules)"
    program = f"import sys, streamapp.cli.{command}; print(sorted({slow}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_module_runs_like_the_command() -> None:
    """`python -m streamapp` works if scripts are not on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0.1.0\n"


@pytest.mark.parametrize("command", [["--help"], ["footprint"], ["footprint", "--json"]])
def test_a_full_disk_behind_standard_output_is_one_line_and_code_1(command: list[str]) -> None:
    """For every printing command, and also when the interpreter ends."""
    size = ["--users", "1", "--items", "1", "--pairs", "1"] if command[0] == "footprint" else []
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "streamapp", *command, *size],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    said = "streamapp: standard output: No space left on device; make room, or write it elsewhere\n"
    assert done.stderr == said


@pytest.mark.parametrize("command", [["--help"], ["footprint"], ["footprint", "--json"]])
def test_who_stops_to_listen_hears_no_complaint(command: list[str]) -> None:
    """As with `streamapp status | head -1`."""
    size = ["--users", "1", "--items", "1", "--pairs", "1"] if command[0] == "footprint" else []
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", *command, *size],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
