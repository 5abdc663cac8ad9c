"""What a run of mutants found, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.trial import Verdict

_OUTCOMES = ("failed", "timeout", "crashed", "survived", "unreached")


def rate(verdicts: Sequence[Verdict]) -> float:
    """Return the part that was killed; 1 of none."""
    return sum(each.killed for each in verdicts) / len(verdicts) if verdicts else 1.0


def show(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print a table of the groups, and each survivor with the tests that could have noticed."""
    table = Table("group", "mutants", *_OUTCOMES, "killed")
    for column in table.columns[1:]:
        column.justify = "right"
    groups = list(dict.fromkeys(each.mutant.group for each in verdicts))
    for group in [*groups, "all"]:
        some = [each for each in verdicts if group in {each.mutant.group, "all"}]
        counts = [sum(each.outcome == outcome for each in some) for outcome in _OUTCOMES]
        table.add_row(group, str(len(some)), *map(str, counts), f"{rate(some):.1%}")
    console.print(table)
    for each in verdicts:
        if not each.killed:
            mutant = each.mutant
            console.print(
                f"\n{mutant.path}:{mutant.line} {mutant.scope} ({mutant.what}), "
                f"{each.outcome}, {each.tests} tests",
                markup=False, soft_wrap=True, highlight=False,
            )  # fmt: skip
            for sign, lines in (("-", mutant.before), ("+", mutant.after)):
                for line in lines.splitlines():
                    console.print(f"  {sign} {line}", markup=False, soft_wrap=True, highlight=False)


def line_of(verdict: Verdict, number: int, total: int) -> str:
    """Return one line that says what became of a mutant."""
    mutant = verdict.mutant
    return (
        f"{number:>4}/{total} {verdict.outcome:<9} {verdict.seconds:6.1f} s  "
        f"{mutant.path}:{mutant.line} {mutant.what}  {verdict.killer}"
    )


def write(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write all verdicts as JSON, without the texts of files."""
    rows = []
    for each in verdicts:
        row = asdict(each)
        del row["mutant"]["text"]
        rows.append(row)
    path.write_text(json.dumps(rows, indent=1))
