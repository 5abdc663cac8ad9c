"""The report for people: a self-contained HTML file."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import orjson

from loadtest.bench.plots import svg
from loadtest.bench.result import Result, Table

_README = Path(__file__).parents[1] / "README.md"
_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: bold }
td, th { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.invalid { background: #fdd; padding: .5rem } svg { max-width: 100%; height: auto }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto }"""


def as_html(results: Sequence[Result], about: dict[str, Any], what: str = "benchmark") -> str:
    """Return a self-contained page.

    Args:
        results: Results of the scenarios.
        about: The machine, versions and options.
        what: The subject of the report; that of a benchmark begins with its limits.
    """
    preface = f"<p>{escape(caveat())}</p>" if what == "benchmark" else ""
    body = "\n".join(part for result in results for part in _scenario(result))
    machine = escape(orjson.dumps(about, option=orjson.OPT_INDENT_2).decode())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>streamapp: {what}</title>
<style>{_STYLE}</style></head><body>
<h1>streamapp: {what}</h1>
{preface}
{body}
<h2>Machine, versions and options</h2>
<pre>{machine}</pre>
</body></html>
"""


def caveat() -> str:
    """Return the limits of the numbers: the README of the load test up to its first section."""
    _, *paragraphs = _README.read_text().partition("\n## ")[0].split("\n\n")
    return " ".join(" ".join(paragraphs).replace("* ", "").split())


def cell(value: Any) -> str:
    """Return a value as text for people; None as `-`."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _scenario(result: Result) -> Iterator[str]:
    yield f"<h2>{escape(result.scenario)}</h2>"
    for fault in result.faults:
        yield f'<p class="invalid">This run is invalid: {escape(fault)}</p>'
    for table in result.tables:
        yield _table(table)
    for note in result.notes:
        yield f"<p>{escape(note)}.</p>"
    for plot in result.plots:
        yield svg(plot)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    lines = (
        "".join(
            f"<td{' class=number' if isinstance(value, int | float) else ''}>"
            f"{escape(cell(value))}</td>"
            for value in row
        )
        for row in table.rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{escape(table.title)}</caption><tr>{head}</tr>{body}</table>"
