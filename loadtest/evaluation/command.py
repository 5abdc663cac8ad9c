"""`python -m loadtest evaluate`: reads logs, runs a protocol, shows and writes."""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from demo.films import CACHE, NoFilmsError, film_ratings
from loadtest.bench.result import Result, as_json
from loadtest.evaluation import prequential, sessions, split, tune
from loadtest.evaluation.engine import Counting
from loadtest.evaluation.variant import WHOLE, variants_of
from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.cli.terminal.target import check_target, write_target
from streamapp.config.env_check import PREFIX
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.rules import EventRules
from streamapp.errors import ConfigError
from streamapp.eventlog import read_log
from streamapp.pipelines import main_pipeline

__all__ = ["CACHE", "Request", "evaluate", "show_tuning"]

PROTOCOLS = {protocol.ID: protocol for protocol in (prequential, sessions, split)}
"""By permanent id."""

STANDARD_OUTPUT = Path("-")

_SHOWN_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Request:
    """A request for an evaluation.

    Attributes:
        protocol: One of `PROTOCOLS`.
        files: Event logs; they are counted if there is a test log.
        test: Event log of the sessions whose next items are questions.
        lists: The rules of lists, as texts; empty for those of the protocol.
        top_n: Most entries of a list; None for that of the protocol.
        history_cap: Most items of a history; None for the setting, or all of them in a split.
        cache: Cache folder of the wheel with MovieLens.
    """

    protocol: str
    files: Sequence[Path]
    test: Path | None
    lists: Sequence[str]
    top_n: int | None
    history_cap: int | None
    cache: Path


def evaluate(
    request: Request, settings: Settings, json_file: Path | None, html_file: Path | None
) -> None:
    """Run a protocol, print its result, and write the reports.

    Args:
        request: The request.
        settings: How events are read, weighed and counted.
        json_file: File of the report for programs; `-` prints it in place of the tables.
        html_file: File of the report for people.

    Raises:
        ConfigError: a log cannot be read, a report not be written, or an option does not fit the
            protocol.
    """
    _check(request)
    for file in (json_file, html_file):
        if file is not None and file != STANDARD_OUTPUT:
            check_target(file)
    pages: Any = None if html_file is None else _pages()
    counting = _counting(request, settings)
    results = _results(request, settings, counting)
    about = {
        "settings": main_pipeline(settings).results,
        "options": {
            "protocol": request.protocol,
            "logs": [file.name for file in request.files],
            "test": request.test.name if request.test else None,
            "history_cap": counting.history_cap,
        },
    }
    if html_file is not None:
        write_target(html_file, pages.as_html(results, about, "evaluation").encode())
    if json_file == STANDARD_OUTPUT:
        sys.stdout.buffer.write(as_json(results, about))
        sys.stdout.buffer.flush()
        return
    for result in results:
        for table in result.tables:
            print_table(f"{result.scenario}: {table.title}", table.columns, table.rows)
        for note in result.notes:
            typer.echo(f"- {note}")
    if json_file is not None:
        write_target(json_file, as_json(results, about))


def show_tuning(
    files: Sequence[Path], settings: Settings, metric: str, held_out: float, as_json: bool
) -> None:
    """Search settings, and print the best.

    Args:
        files: Event logs, in the order of their events.
        settings: The current settings.
        metric: The metric to tune for.
        held_out: Share of the log's time whose items are questions.
        as_json: Whether to print JSON.

    Raises:
        ConfigError: a log cannot be read, or there are no questions.
    """
    if metric not in tune.METRICS:
        raise ConfigError(f"--by {metric}: {', '.join(tune.METRICS)} is needed")
    with progress() as begin:
        begin("reading")
        log = interactions(files, settings)
        tuning = tune.tune(log, settings, metric, held_out, begin("searching"))
    if as_json:
        print_json(tuning.as_dict())
        return
    rows = [
        (*choice.environment().values(), *(f"{values[name]:.4f}" for name in tune.METRICS),
         "set now" if choice == tuning.current else "")
        for place, (choice, values) in enumerate(tuning.found.items())
        if place < _SHOWN_CHOICES or choice == tuning.current
    ]  # fmt: skip
    best = next(iter(tuning.found)).environment()
    names = [name.removeprefix(PREFIX) for name in best]
    print_table(
        f"{tuning.questions:,} questions in the last {held_out:.0%} of the time, best "
        f"{metric.upper()} of {len(tuning.found)} choices first",
        (*names, *(name.upper() for name in tune.METRICS), ""),
        rows,
    )
    for name, value in best.items():
        typer.echo(f"{name}={value}")


def _check(request: Request) -> None:
    protocol = request.protocol
    if protocol not in PROTOCOLS:
        raise ConfigError(f"--protocol {protocol}: {', '.join(PROTOCOLS)} is needed")
    if protocol == split.ID and request.files:
        raise ConfigError("--protocol split takes no LOG: it splits MovieLens 100K")
    if protocol != split.ID and not request.files:
        raise ConfigError(f"--protocol {protocol} needs a LOG")
    if (protocol == sessions.ID) != (request.test is not None):
        raise ConfigError("--test FILE belongs to --protocol sessions, which needs it")


def _pages() -> Any:
    """Return the module that makes reports for people; their plots need more than figures do."""
    try:
        return import_module("loadtest.bench.report")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--html needs {error.name}: run `make setup`, or install the group `measure`"
        ) from None


def _counting(request: Request, settings: Settings) -> Counting:
    cap = request.history_cap
    if cap is None:
        cap = WHOLE if request.protocol == split.ID else settings.history_cap
    return Counting(cap, settings.forget_after or math.inf)


def _results(request: Request, settings: Settings, counting: Counting) -> list[Result]:
    """Run the protocol; its own lists and sizes count if the request leaves them open."""
    protocol = PROTOCOLS[request.protocol]
    top_n = protocol.TOP_N if request.top_n is None else request.top_n
    variants = variants_of(request.lists or protocol.LISTS, top_n)
    with progress() as begin:
        begin("reading")
        if request.protocol == split.ID:
            ratings = movielens(request.cache)
            return list(split.run(ratings, counting, variants, begin("counting")))
        log = interactions(request.files, settings)
        if request.test is not None:
            test = interactions([request.test], settings)
            return [sessions.run(log, test, counting, variants, begin("counting"))]
        return [prequential.run(log, counting, variants, begin("asking and counting"))]


def interactions(files: Sequence[Path], settings: Settings) -> LogInteractions:
    """Return the interactions of event logs for an app with these settings.

    Raises:
        ConfigError: interactions fade, which is not measured here.
    """
    if settings.half_life:
        raise ConfigError(
            f"{PREFIX}HALF_LIFE={settings.half_life:g}: what is measured here counts without "
            "decay; set it to 0"
        )
    latest_ts = time.time() + settings.max_ahead_s
    rules = event_rules(settings)
    log = read_interactions(read_log(files, rules), rules, settings.event_weights,
                            settings.event_topics[0], latest_ts)  # fmt: skip
    return log.paired()


def movielens(cache: Path) -> LogInteractions:
    """Return the ratings of MovieLens 100K, each with the weight of its stars.

    Raises:
        ConfigError: they are not available.
    """
    try:
        ratings = film_ratings(cache)
    except NoFilmsError as error:
        raise ConfigError(f"MovieLens cannot be had: {error}") from None
    rules = EventRules(types={name: name for name in split.WEIGHTS}, implied={}, earliest_ts=0.0,
                       max_ahead_s=0.0, max_record_bytes=0, check_keys=False)  # fmt: skip
    return read_interactions(ratings, rules, split.WEIGHTS, "", time.time())
