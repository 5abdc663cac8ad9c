"""Results: the outcome of a scenario, for people, for programs and for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import orjson

Points = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""By name of a series: its x and its y, of the same length."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people.

    Attributes:
        title: Its title.
        columns: Names, with their units.
        rows: Numbers and short texts.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of one or more series.

    Attributes:
        title: Its title.
        x_label: The horizontal axis, with its unit.
        y_label: The vertical axis, with its unit.
        series: The points.
        log_x: Whether x rises by factors.
        log_y: Whether y rises by factors.
    """

    title: str
    x_label: str
    y_label: str
    series: Points
    log_x: bool = False
    log_y: bool = False


@dataclass(slots=True)
class Result:
    """The outcome of a scenario.

    Attributes:
        scenario: Its permanent id.
        cases: One object for each case, in JSON form; each has its permanent `id`.
        tables: For people.
        plots: For the report.
        notes: Limits of these figures that a reader must know.
        faults: Reasons why the run is invalid; empty for a valid run.
    """

    scenario: str
    cases: list[dict[str, Any]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "scenario": self.scenario,
            "valid": not self.faults,
            "faults": self.faults,
            "notes": self.notes,
            "cases": self.cases,
        }


def as_json(results: Sequence[Result], about: dict[str, Any]) -> bytes:
    """Return the report for programs: the machine and settings, and every scenario."""
    value = {**about, "scenarios": [result.as_dict() for result in results]}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure of some runs of a case, and the runs."""
    names = [name for name, value in runs[0].items() if isinstance(value, int | float)]
    return {**{name: median(run[name] for run in runs) for name in names}, "runs": list(runs)}
