"""Commands refuse a state of other kinds, and say when there is no state."""

import sys
from pathlib import Path

import pytest

from streamapp.cli.main import app
from streamapp.cli.terminal.outcome import run
from streamapp.config.loader import load_settings
from tests.servers.node import RedisNode


@pytest.mark.parametrize("command", [["status"], ["export", "counts.npz"], ["audit", "--log"]])
@pytest.mark.parametrize(
    ("state_id", "setting", "says"),
    [
        ("g", "BOUGHT_AFTER_VIEW", "STREAMAPP_BOUGHT_AFTER_VIEW is true"),
        ("g", "BOUGHT_TOGETHER", "STREAMAPP_BOUGHT_TOGETHER is true"),
        ("g:bought_after_view", "", "STREAMAPP_BOUGHT_AFTER_VIEW is false"),
        ("g", "", "STREAMAPP_BROKER_URL"),
        ("", "BOUGHT_AFTER_VIEW", "STREAMAPP_BROKER_URL"),
    ],
)
def test_a_state_of_other_kinds_is_refused_in_one_line(
    node: RedisNode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: list[str],
    state_id: str,
    setting: str,
    says: str,
) -> None:
    """As a worker refuses it; not if the kinds are those of the state, or there is no state."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("user_id,item_id,type,ts\n")
    monkeypatch.setenv("STREAMAPP_REDIS_URL", node.url)
    monkeypatch.setenv("STREAMAPP_BROKER_URL", "kafka://127.0.0.1:1")
    if setting:
        monkeypatch.setenv(f"STREAMAPP_{setting}", "true")
    with node.client() as redis:
        redis.flushall()
        if state_id:
            redis.hset("streamapp:layout", ":generation", state_id)
    load_settings.cache_clear()
    files = ["log.csv"] if command[-1] == "--log" else []
    monkeypatch.setattr(sys, "argv", ["streamapp", *command, *files])
    with pytest.raises(SystemExit) as caught:
        run(app, "streamapp")
    assert caught.value.code == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith("streamapp: ")
    assert says in printed


def test_where_there_is_no_state_explain_says_what_to_do(
    node: RedisNode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """In one readable line, with the prefix of the keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMAPP_REDIS_URL", node.url)
    with node.client() as redis:
        redis.flushall()
    load_settings.cache_clear()
    monkeypatch.setattr(sys, "argv", ["streamapp", "explain", "a", "b"])
    with pytest.raises(SystemExit) as caught:
        run(app, "streamapp")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "streamapp: redis holds no state of clicks: start a worker first, or check REDIS_URL, "
        "EVENT_TOPICS and STATE_PREFIX (streamapp:)\n"
    )
