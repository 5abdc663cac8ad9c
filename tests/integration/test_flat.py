"""Redis does not grow for ever."""

import pytest

from loadtest.bench.bench import Bench
from loadtest.bench.flat import TIMES, replayed, rise
from loadtest.bench.shop import Shop
from loadtest.bench.stage import Stage

_CAP = 20
_USERS = 300


@pytest.mark.full
def test_bytes_stay_where_they_are_over_ten_times_the_cap(stage: Stage, bench: Bench) -> None:
    """What a history drops leaves counts, rows and lists too, and nothing else piles up."""
    stage.common["history_cap"] = str(_CAP)
    shop = Shop(TIMES * _CAP * _USERS, _USERS, items=400, seed=2)
    measured = replayed(bench, stage, shop)
    assert rise(measured) < 1.02
