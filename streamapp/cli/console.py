"""Cli. What people see on a terminal: tables and progress bars; and JSON for programs.

Tables and JSON go to standard output, progress to standard error, and only if that is a terminal.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

Step = Callable[[int, int | None], None]
"""Told how much of a step is done, and of how much (None if that is not known)."""


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table; numbers are set to the right, nothing is cut off."""
    lines = [list(row) for row in rows]
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(columns):
        numeric = bool(lines) and all(isinstance(line[place], int | float) for line in lines)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_text(value) for value in line))
    Console(markup=False, highlight=False).print(table)


@contextmanager
def progress() -> Iterator[Callable[[str], Step]]:
    """Yield a function that begins a step with a line of its own, and returns how to tell of it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def begin(description: str) -> Step:
            task = bars.add_task(description, total=None)

            def tell(done: int, total: int | None) -> None:
                bars.update(task, completed=done, total=total)

            return tell

        yield begin


def _text(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
