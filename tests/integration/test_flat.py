"""Redis does not grow for ever."""

from loadtest.bench.bench import Bench
from loadtest.bench.flat import TIMES, replayed, rise
from loadtest.bench.shop import Shop
from loadtest.bench.stage import Stage
from streamapp.cli.console import Step

_CAP = 20
_USERS = 300


def _tell(_description: str) -> Step:
    return lambda _done, _total: None


def test_bytes_stay_where_they_are_over_ten_times_the_cap(stage: Stage) -> None:
    """What a history drops leaves counts, rows and lists too, and nothing else piles up."""
    stage.common["history_cap"] = str(_CAP)
    shop = Shop(TIMES * _CAP * _USERS, _USERS, items=400, seed=2)
    measured = replayed(Bench(_tell, timeout_s=200), stage, shop)
    assert rise(measured) < 1.02
