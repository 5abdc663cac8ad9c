"""Output of commands: tables and progress bars for people, JSON for programs.

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
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from streamapp.printable import visible

Step = Callable[[int, int | None], None]
"""Called with how much of a step is done, and its size (None if unknown)."""


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table: numbers aligned right, None as `-`, long text wrapped.

    Control characters are escaped.
    """
    lines = [list(row) for row in rows]
    table = Table()
    for number, name in enumerate(columns):
        numeric = bool(lines) and all(
            isinstance(line[number], int | float | None) for line in lines
        )
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_text(value) for value in line))
    console = Console(markup=False, highlight=False)
    console.print(visible(title), style="bold", soft_wrap=True)
    console.print(table)


class _Speed(ProgressColumn):
    """Shows steps per second as soon as the number is known."""

    def render(self, task: Task) -> Text:
        """Return the speed of a task."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress() -> Iterator[Callable[[str], Step]]:
    """Yield a function that begins the next step, which replaces the last one on the screen."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:

        def begin(description: str) -> Step:
            for last in bars.task_ids:
                bars.remove_task(last)
            task = bars.add_task(description, total=None)

            def tell(done: int, total: int | None) -> None:
                bars.update(task, completed=done, total=total)

            return tell

        yield begin


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.10g}" if isinstance(value, float) else visible(str(value))
