"""The scenarios `everyday` and `soak` measure what they say, on a short past."""

from dataclasses import replace

import pytest

from loadtest.bench import everyday, soak
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.steady import CAP

pytestmark = [pytest.mark.full, pytest.mark.alone]


def test_a_worker_at_an_even_rate_is_measured(
    env: BenchEnv, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Costs, then latency; the audits find no difference, or they raise."""
    monkeypatch.setattr(everyday, "PAST_EVENTS", 3_000)
    env.common.update(partitions="4", history_cap=str(CAP))
    found, drained, faults = everyday.measured(replace(bench, duration_s=4.0), env, "rate50", 50.0)
    assert faults == []
    assert found["events"] == pytest.approx(50 * 4, rel=0.1)
    assert 0 < found["cpu_share"] < 1
    assert found["cpu_us_per_event"] == pytest.approx(found["cpu_share"] / 50 * 1e6)
    assert found["lists_per_event"] > 0.5
    assert found["redis_commands_per_s"] > 50
    assert "info" not in found["redis_commands"]
    assert found["redis_input_bytes_per_event"] > 100
    assert found["load"]["events"] == 50 * (3 + 4 + 2)
    assert found["latency"]["key_watch"]["count"] == 4 * 10
    assert found["latency"]["load"]["events"] == 30 * (3 + 4) + 2 * 40
    assert 0 < found["key_p50_ms"] <= found["key_p99_ms"]
    assert drained["events"] == 3_000
    assert drained["lists_per_event"] > 0.1


def test_a_worker_is_sampled_while_it_has_the_same_work(
    env: BenchEnv, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the end of its load; the audit finds no difference, or it raises."""
    monkeypatch.setattr(soak, "PAST_EVENTS", 3_000)
    env.common.update(partitions="4", history_cap=str(CAP))
    samples, case, faults = soak.soaked(replace(bench, soak_s=6.0), env, "rate200", 200.0)
    assert faults == []
    assert case["load"]["events"] == 200 * 6
    assert len(samples) == 24
    assert samples[-1].at_s == pytest.approx(6, abs=0.3)
    assert all(sample.rss_bytes > 50e6 for sample in samples)
    assert all(sample.redis_bytes > 1e6 for sample in samples)
    assert all(sample.fds > 5 for sample in samples)
    assert all(sample.threads > 1 for sample in samples)
    assert 0 < sum(sample.cpu_share for sample in samples) / len(samples) < 2
    assert soak.trends_of(samples, 6.0)["rss_bytes"].calm > 50e6
