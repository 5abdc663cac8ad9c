"""Chaos. `python -m tests.chaos --seed N`: random faults under load, and whether anything differs.

Two to three workers on several partitions count a shop's events while workers, broker and Redis
are killed, paused, cut off, restarted and replaced, as the seed says. Then everything heals, the
app drains, and Redis, its lists, the output topic and the dead letters are compared with what the
event topics hold. Exit 0 means that nothing differs, and that no worker ended without a reason; a
seed that exits 1 can be run again, and leaves its logs.
"""

import shutil
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.cli.terminal.outcome import run as run_command
from streamapp.errors import ConfigError
from tests.chaos.journal import Entry
from tests.chaos.run import Outcome, carry_out
from tests.chaos.schedule import LANES, plan
from tests.servers.backend import BackendError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def chaos(
    *,
    seed: Annotated[int, typer.Option(metavar="N", help="What happens, and when.")] = 1,
    minutes: Annotated[
        float, typer.Option(metavar="M", min=0.2, max=1440, help="How long events come in.")
    ] = 5.0,
    lane: Annotated[str, typer.Option(metavar="LANE", help=" or ".join(LANES))] = "embedded",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Let faults happen by a seed, and audit what is left; exit 1 if anything differs."""
    if lane not in LANES:
        raise ConfigError(f"--lane {lane}: one of {', '.join(LANES)} is needed")
    chosen, folder = plan(seed, lane, minutes * 60), Path(mkdtemp(prefix="streamapp-chaos-"))
    tell = _say_nothing if as_json else _say
    if not as_json:
        typer.echo(
            f"seed {seed}, {lane}, {chosen.duration_s:g} s: {chosen.events_per_s} records/s, "
            f"{len(chosen.topics)} topics of {chosen.partitions} partitions, "
            f"cap {chosen.history_cap}, half-life {chosen.half_life_s:g} s, "
            f"{'a Redis Cluster' if chosen.cluster else 'Redis'}, {len(chosen.faults)} faults"
        )
    # Whoever ends the runner ends its workers, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress() as begin:
            outcome = carry_out(chosen, folder, tell, begin)
    except BackendError as error:
        raise ConfigError(f"the lane {lane} cannot run here: {error}") from None
    if as_json:
        print_json(outcome.as_dict())
    else:
        _print(outcome)
    if not outcome.passed:
        typer.echo(f"logs and evidence: {folder}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)


def _say(entry: Entry) -> None:
    typer.echo(f"{entry.at_s:7.1f} s  {entry.who:10}  {entry.what}")


def _say_nothing(entry: Entry) -> None:
    """JSON comes at the end, whole."""


def _print(outcome: Outcome) -> None:
    verdict, journal = outcome.verdict, outcome.journal
    figures = {**verdict.figures, **journal.counts}
    print_table(f"Seed {outcome.plan.seed}", ("what", "number"), figures.items())
    for line in (*verdict.examples, *journal.surprises):
        typer.echo(line)
    typer.echo(f"differences: {verdict.differences:,}, surprises: {len(journal.surprises):,}")


if __name__ == "__main__":
    run_command(app, "python -m tests.chaos")
