"""Chaos by one seed, for half a minute: the runner works, and nothing differs."""

import subprocess
import sys

import orjson
import pytest

from tests.chaos.schedule import BACKENDS
from tests.servers.deployment import PROJECT

_SEED = 11


@pytest.mark.full
def test_half_a_minute_of_chaos_changes_nothing(backend: str) -> None:
    """`make chaos SEED=N MINUTES=M` is the same, longer; it brings its own servers."""
    arguments = ["--seed", str(_SEED), "--minutes", "0.45", "--json"]
    arguments += ["--lane", backend if backend in BACKENDS else BACKENDS[0]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        cwd=PROJECT, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {_SEED}\n{done.stdout}\n{done.stderr}"
    outcome = orjson.loads(done.stdout)
    assert outcome["differences"] == 0
    assert outcome["surprises"] == []
    assert outcome["figures"]["applied"] > 15_000
    assert outcome["figures"]["faults"] >= 4
