"""Scenario `workers`: groups of workers on many partitions, and changes of a group under load."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.bench import Bench
from loadtest.bench.group_change import CHANGES, change_group
from loadtest.bench.group_drain import compare_groups
from loadtest.bench.result import Result, Table, medians

ID = "workers"
_COUNTS = (1, 2, 4)
_PARTITIONS = 64
_RATE = 2_000.0
"""Events a second while the group changes: each partition has some thirty of them."""

_COLUMNS = {
    "all work again, s": "works_s",
    "longest pause, s": "longest_s",
    "median pause, s": "median_s",
    "longest before, s": "before_s",
    "until exit, s": "exit_s",
}
"""By title, the figure."""


def run(bench: Bench) -> Result:
    """Let groups drain the log, then stop and add a worker while events come in."""
    result = Result(ID)
    compare_groups(bench, result, _COUNTS, _PARTITIONS)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CHANGES}
    for number in range(bench.repeats):
        about = f"changes, run {number + 1} of {bench.repeats}"
        with bench.env(2, partitions=str(_PARTITIONS)) as env:
            changes, faults = change_group(bench, env, about, _RATE)
        for name, one in changes.items():
            found[name].append(one)
        result.faults += faults
    cases = {name: {"id": f"{ID}/{name}", **medians(runs)} for name, runs in found.items()}
    result.cases += cases.values()
    result.tables.append(
        Table(
            f"{_RATE:,.0f} events a second on {_PARTITIONS} partitions, medians of {bench.repeats}",
            ("workers", *_COLUMNS),
            [(CHANGES[name], *_row(case)) for name, case in cases.items()],
        )
    )
    result.notes.append(
        "all work again: from the signal, or from the start of the process, until each partition "
        "of each topic has applied a record that was sent later, and its last standstill is over; "
        "a pause is the time in which a partition applies nothing"
    )
    return result


def _row(case: Mapping[str, Any]) -> list[Any]:
    return [round(case[name], 2) if name in case else "" for name in _COLUMNS.values()]
