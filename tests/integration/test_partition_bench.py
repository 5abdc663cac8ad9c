"""The scenarios `partitions` and `workers` measure what they say, on a small shop."""

from dataclasses import replace

import pytest

from loadtest.bench import idle
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.group_change import change_group
from loadtest.bench.partitions import measured
from loadtest.bench.shop import Shop
from loadtest.bench.source import made_up

pytestmark = [pytest.mark.full, pytest.mark.alone]


def test_a_run_counts_what_a_log_does_to_internal_topics_and_to_redis(
    env: BenchEnv, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what the worker does while it is idle; the audit finds no difference, or it raises."""
    monkeypatch.setattr(idle, "CALM_S", 1.0)
    monkeypatch.setattr(idle, "IDLE_S", 2.0)
    env.common["partitions"] = "6"
    source = made_up(Shop(4_000, 900, 300, seed=3), env.folder)
    found = measured(bench, env, source, "a run")
    assert found["events"] == 4_000
    # Each interaction is in one message, and each partition has sent some.
    assert 2 * 6 / 4_000 <= found["internal_messages_per_event"] < 2
    assert found["internal_bytes_per_event"] > 10
    assert 1 < found["redis_cpu_us_per_event"] < 10_000
    assert found["redis_bytes"] == sum(one["bytes"] for one in found["keys"].values())
    assert found["keys"]["heads"]["keys"] == 3 * 6
    assert found["keys"]["norm feeds"]["keys"] == 6
    assert 1 <= found["connections"] <= env.settings("app").redis_connections
    assert 0 < found["idle_cpu_share"] < 1
    assert 0 < found["idle_commands_per_s"] < 500
    assert "hmget" in found["idle_commands"]
    assert "info" not in found["idle_commands"]


def test_a_group_that_changes_under_load_works_again(env: BenchEnv, bench: Bench) -> None:
    """A worker is stopped, another one starts; the audit finds no difference, or it raises."""
    env.common["partitions"] = "4"
    found, faults = change_group(replace(bench, duration_s=20.0), env, "changes", 200.0)
    assert faults == []
    for one in found.values():
        assert one["stuck"] == 0
        assert 0 < one["works_s"] < 20
        assert one["median_s"] <= one["longest_s"]
    # Partitions of the worker that stops have to wait for another one.
    assert found["stopped"]["longest_s"] > found["stopped"]["before_s"]
    assert 0 < found["stopped"]["exit_s"] < 20
