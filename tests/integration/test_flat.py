"""Redis does not grow forever."""

import pytest

from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.flat import TIMES, replayed, rise
from loadtest.bench.shop import Shop

_CAP = 20
_USERS = 300


@pytest.mark.full
def test_bytes_stay_where_they_are_over_ten_times_the_cap(env: BenchEnv, bench: Bench) -> None:
    """An item that a history drops leaves counts, rows and lists too, and nothing else grows."""
    env.common["history_cap"] = str(_CAP)
    shop = Shop(TIMES * _CAP * _USERS, _USERS, items=400, seed=2)
    measured = replayed(bench, env, shop)
    assert rise(measured) < 1.02
