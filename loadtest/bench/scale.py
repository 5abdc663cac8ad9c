"""Scenario `scale`: the cost of an event with two workers, against one."""

from loadtest.bench.bench import Bench
from loadtest.bench.group_drain import compare_groups
from loadtest.bench.result import Result

ID = "scale"
_COUNTS = (1, 2)
_PARTITIONS = 2


def run(bench: Bench) -> Result:
    """Give the same log on two partitions to one worker, then to two."""
    result = Result(ID)
    compare_groups(bench, result, _COUNTS, _PARTITIONS)
    return result
