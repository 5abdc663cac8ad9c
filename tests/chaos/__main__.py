"""`python -m tests.chaos --seed N`: random faults under load, and whether anything differs.

Two or three workers on several partitions count a shop's events. Meanwhile workers, broker and
Redis are killed, paused, cut off, restarted and replaced, as the seed says. Then all faults end and
the app drains. Redis, its lists, the output topic and the dead letters are compared with the event
topics. Exit 0 means that nothing differs, and that no worker ended without a reason. A seed that
exits 1 can be run again, and leaves its logs.
"""

import shutil
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.cli.terminal.outcome import HELP
from streamapp.cli.terminal.outcome import run as run_command
from streamapp.errors import ConfigError
from tests.chaos.journal import Entry
from tests.chaos.run import Outcome, carry_out
from tests.chaos.schedule import BACKENDS, plan
from tests.servers.backend import BackendError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


@app.command()
def chaos(
    *,
    seed: Annotated[int, typer.Option(metavar="N", help="What happens, and when.")] = 1,
    minutes: Annotated[
        float, typer.Option(metavar="M", min=0.2, max=1440, help="How long events come in.")
    ] = 5.0,
    backend: Annotated[
        str, typer.Option("--lane", metavar="LANE", help=" or ".join(BACKENDS))
    ] = "embedded",
    workers: Annotated[int, typer.Option(metavar="N", min=2, max=16, help="How many.")] = 3,
    partitions: Annotated[
        int | None, typer.Option(metavar="P", min=1, max=1024, help="As the seed says by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Let faults happen by a seed, and audit the result; exit 1 if anything differs."""
    if backend not in BACKENDS:
        raise ConfigError(f"--lane {backend}: one of {', '.join(BACKENDS)} is needed")
    chosen = plan(seed, backend, minutes * 60, workers, partitions)
    folder = Path(mkdtemp(prefix="streamapp-chaos-"))
    tell = _say_nothing if as_json else _say
    if not as_json:
        typer.echo(
            f"seed {seed}, {backend}, {chosen.duration_s:g} s: {chosen.events_per_s} records/s, "
            f"{len(chosen.topics)} topics of {chosen.partitions} partitions, "
            f"cap {chosen.history_cap}, half-life {chosen.half_life_s:g} s, "
            f"{'a Redis Cluster' if chosen.cluster else 'Redis'}, {len(chosen.faults)} faults"
        )
    # A signal to the runner must end its workers, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress() as begin:
            outcome = carry_out(chosen, folder, tell, begin)
    except BackendError as error:
        raise ConfigError(f"the backend {backend} cannot run here: {error}") from None
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
    """JSON is printed at the end, whole."""


def _print(outcome: Outcome) -> None:
    verdict, journal = outcome.verdict, outcome.journal
    figures = {**verdict.figures, **journal.counts}
    print_table(f"Seed {outcome.plan.seed}", ("what", "number"), figures.items())
    for line in (*verdict.examples, *journal.surprises):
        typer.echo(line)
    typer.echo(f"differences: {verdict.differences:,}, surprises: {len(journal.surprises):,}")


if __name__ == "__main__":
    run_command(app, "python -m tests.chaos")
