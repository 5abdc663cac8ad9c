"""`python -m loadtest bench`: runs scenarios, shows tables, writes the reports."""

import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from loadtest.bench import (
    everyday,
    flat,
    growth,
    hot,
    latency,
    partitions,
    readers,
    scale,
    soak,
    throughput,
    workers,
)
from loadtest.bench.bench import Bench
from loadtest.bench.contest import check_rivals
from loadtest.bench.cpus import available_cpus, divide
from loadtest.bench.machine import describe
from loadtest.bench.report import as_html
from loadtest.bench.result import Result, as_json
from streamapp.cli.session import one_line_errors
from streamapp.cli.terminal.console import print_table, progress
from streamapp.cli.terminal.target import check_target, write_target
from streamapp.errors import ConfigError
from streamapp.eventlog import read_log

SCENARIOS: dict[str, Callable[[Bench], Result]] = {
    throughput.ID: throughput.run,
    latency.ID: latency.run,
    readers.ID: readers.run,
    growth.ID: growth.run,
    flat.ID: flat.run,
    hot.ID: hot.run,
    scale.ID: scale.run,
    partitions.ID: partitions.run,
    workers.ID: workers.run,
    everyday.ID: everyday.run,
    soak.ID: soak.run,
}
"""By permanent id, in the order in which they run: later ones use results of earlier ones."""

_BY_NAME_ONLY = {soak.ID}
"""Those that take so long that they run only if they are named."""


def run_scenarios(
    names: Sequence[str],
    options: dict[str, Any],
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Run scenarios, print their results, and write the reports.

    Args:
        names: Names of scenarios; if none is given, all but those of `_BY_NAME_ONLY`.
        options: Options of the benchmark, by the names of `Bench`.
        json_file: File of the report for programs, if any.
        html_file: File of the report for people, if any.

    Raises:
        ConfigError: there is no such scenario, a package is not installed, a log cannot be read, or
            a report cannot be written.
        StreamappError: a process ends, or the audit of a run finds differences.
        typer.Exit: with code 1 if a run is invalid.
    """
    _check(names, options["files"], json_file, html_file)
    # On a signal it ends its child processes, as with Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    about = {
        "machine": describe(),
        "cpus": asdict(divide(available_cpus(), 1)),
        "options": {**options, "files": [file.name for file in options["files"]]},
    }
    typer.echo(f"seed {options['seed']}")
    results = []
    with one_line_errors(), progress() as begin:
        bench = Bench(begin, **options)
        for name in chosen(names):
            results.append(SCENARIOS[name](bench))
            _print(results[-1])
            _write(results, about, json_file, html_file)
    if any(result.faults for result in results):
        raise typer.Exit(1)


def chosen(names: Sequence[str]) -> list[str]:
    """Return the scenarios to run, in their order."""
    return [name for name in SCENARIOS if name in names or not (names or name in _BY_NAME_ONLY)]


def rates_of(text: str) -> tuple[float, ...]:
    """Return the numbers of `--rates`.

    Raises:
        ConfigError: one is not a number over 0.
    """
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = (0.0,)
    if not all(0 < rate < float("inf") for rate in rates):
        raise ConfigError(f"--rates {text}: numbers over 0 are needed, such as 0.25,0.8 or 5000")
    return rates


def sizes_of(text: str) -> tuple[tuple[int, int], ...]:
    """Return the items and users of `--sizes`.

    Raises:
        ConfigError: they are not two whole numbers over 0 each.
    """
    found = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part) for part in text.split(",")]
    sizes = tuple((int(one[1]), int(one[2])) for one in found if one)
    if len(sizes) < len(found):
        raise ConfigError(f"--sizes {text}: ITEMSxUSERS,... is needed, such as 10000x50000")
    return sizes


def counts_of(text: str, option: str, most: int) -> tuple[int, ...]:
    """Return the whole numbers of an option, each once.

    Raises:
        ConfigError: one is not a whole number from 1 to `most`.
    """
    parts = text.split(",")
    counts = tuple(
        dict.fromkeys(int(part) for part in parts if re.fullmatch(r"[1-9]\d{0,8}", part))
    )
    if len(counts) < len(set(parts)) or max(counts) > most:
        raise ConfigError(f"{option} {text}: numbers from 1 to {most:,} are needed, such as 4,64")
    return counts


def _check(names: Sequence[str], logs: Sequence[Path], *targets: Path | None) -> None:
    """Refuse late failures before anything is started."""
    if unknown := sorted(set(names) - set(SCENARIOS)):
        raise ConfigError(f"no scenario {', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    if not names or throughput.ID in names:
        check_rivals()
    for file in targets:
        if file is not None:
            check_target(file)
    for log in logs:
        if next(read_log([log]), None) is None:
            raise ConfigError(f"{log}: the log has no events")


def _print(result: Result) -> None:
    for table in result.tables:
        print_table(f"{result.scenario}: {table.title}", table.columns, table.rows)
    for note in result.notes:
        typer.echo(f"- {note}")
    for fault in result.faults:
        typer.echo(f"INVALID: {fault}")


def _write(
    results: Sequence[Result], about: dict[str, Any], json_file: Path | None, html_file: Path | None
) -> None:
    """Write the reports of the scenarios so far, so that a later failure loses none."""
    if json_file is not None:
        write_target(json_file, as_json(results, about))
    if html_file is not None:
        write_target(html_file, as_html(results, about).encode())
