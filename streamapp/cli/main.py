"""The commands: their names, arguments and help.

A command imports what it needs when it runs: Faust and Numba take a second that `--help` need not.
"""
# ruff: noqa: PLC0415 - imports inside the commands, for the reason above

from pathlib import Path
from typing import Annotated

import typer

from streamapp import __version__
from streamapp.cli.terminal.outcome import HELP, run
from streamapp.errors import ConfigError

app = typer.Typer(
    name="streamapp",
    help="Real-time item recommendations from click and purchase events, exact per event.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
show = typer.Typer(help="Show a list as frontends read it.")
app.add_typer(show, name="show")
deadletters = typer.Typer(help="List, show and replay the records that were refused.")
app.add_typer(deadletters, name="deadletters")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ListJson = Annotated[bool, typer.Option("--json", help="Print the bytes of the key.")]
Category = Annotated[str, typer.Option(metavar="NAME", help="The category at hand.")]
Timeout = Annotated[
    float, typer.Option(min=0, help="Seconds to wait for the app to be drained.", metavar="S")
]
Addresses = Annotated[
    list[str] | None,
    typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="Addresses, as `list` prints them."),
]
Codes = Annotated[
    list[str] | None,
    typer.Option("--code", metavar="CODE", help="Letters with this code; may be repeated."),
]
LetterTopic = Annotated[
    str, typer.Option("--topic", metavar="NAME", help="Letters of this topic; default all.")
]
Since = Annotated[
    str,
    typer.Option(metavar="TIME", help="Letters that were made since: 15m, 2h, 7d ago, or a date."),
]


@app.command()
def worker() -> None:
    """Run a worker until it is asked to stop."""
    from streamapp.cli.worker import run_worker

    run_worker()


@app.command()
def topics(*, as_json: Json = False) -> None:
    """Create the topics that the app needs; say which existed already."""
    from streamapp.cli.topics import make_topics

    make_topics(as_json)


@app.command()
def embedded(
    kafka_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the broker.")] = 9092,
    redis_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of Redis.")] = 6379,
) -> None:
    """Run a broker and a Redis on loopback until Ctrl-C.

    Both come from wheels, so neither Docker nor Java is needed; nothing outlives the command.
    """
    from streamapp.embedded import serve

    serve(kafka_port, redis_port)


@show.command()
def item(id_: Annotated[str, typer.Argument(metavar="ID")], *, as_json: ListJson = False) -> None:
    """Show the neighbours of an item."""
    from streamapp.cli.reports.show import show_list

    show_list("item", id_, as_json)


@show.command("bought_together")
def bought_together(
    id_: Annotated[str, typer.Argument(metavar="ID")], *, as_json: ListJson = False
) -> None:
    """Show the items bought together with an item."""
    from streamapp.cli.reports.show import show_list

    show_list("bought_together", id_, as_json)


@show.command("bought_after_view")
def bought_after_view(
    id_: Annotated[str, typer.Argument(metavar="ID")], *, as_json: ListJson = False
) -> None:
    """Show the items that viewers of an item buy."""
    from streamapp.cli.reports.show import show_list

    show_list("bought_after_view", id_, as_json)


@show.command()
def user(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    category: Category = "",
    *,
    as_json: ListJson = False,
) -> None:
    """Show the list for a user, or the list that a page shows instead."""
    from streamapp.cli.reports.show import show_list

    show_list("user", id_, as_json, category)


@show.command()
def trending(category: Category = "", *, as_json: ListJson = False) -> None:
    """Show the items that are popular now."""
    from streamapp.cli.reports.show import show_list

    show_list("trending", category, as_json)


@app.command()
def explain(
    left: Annotated[str, typer.Argument(metavar="ITEM")],
    right: Annotated[str, typer.Argument(metavar="ITEM")],
    kind: Annotated[
        str, typer.Option(help="Of the list: item, bought_together or bought_after_view.")
    ] = "item",
    *,
    as_json: Json = False,
) -> None:
    """Show the counts behind the score of two items."""
    from streamapp.cli.reports.explain import explain_pair

    explain_pair(left, right, kind, as_json)


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show how far the app is, and how much it holds."""
    from streamapp.cli.reports.status import show_status

    show_status(as_json)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.npz", dir_okay=False)],
    timeout: Timeout = 120.0,
) -> None:
    """Write the counts of a drained app as numpy arrays.

    `item_bytes` holds the ids in UTF-8 and in byte order, one behind the other, and `item_ends`
    where each ends. `items` holds them as text; it is left out where an id ends in NUL, which numpy
    cannot keep, or where one long id would make it very large. `sum_sq` belongs to the ids, and
    `data`, `indices`, `indptr` are the symmetric CSR matrix of their dots, without a diagonal.
    Where STREAMAPP_HALF_LIFE is set, they are as of the newest event, whose time is `as_of`.
    """
    from streamapp.cli.reports.export import export_counts

    export_counts(file, timeout)


@app.command("export-user")
def export_user(id_: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Print everything that is kept of a user, as JSON."""
    from streamapp.cli.reports.export_user import export_user as export

    export(id_)


@app.command()
def forget(id_: Annotated[str, typer.Argument(metavar="ID")], *, as_json: Json = False) -> None:
    """Forget a user: send the event that removes history, counts and list.

    A record without a value under the key of the user's list is the receipt.
    """
    from streamapp.cli.forget import forget_user

    forget_user(id_, as_json)


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV, JSON lines or Parquet.")
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME", help="csv, jsonl or parquet.")
    ] = "",
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="rees46, otto, retailrocket, instacart or hm.")
    ] = "",
    columns: Annotated[
        str, typer.Option(metavar="FIELD=COLUMN,...", help="Names of columns in the files.")
    ] = "",
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="The type of all events.")
    ] = "",
    *,
    delimiter: Annotated[str, typer.Option(metavar="CHAR", help="Of CSV; else recognised.")] = "",
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Of text; else recognised.")] = "",
    header: Annotated[
        str, typer.Option(metavar="COLUMN,...", help="Columns of CSV files without a header.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would count.")] = False,
    as_json: Json = False,
) -> None:
    """Send the events of files to the event topics.

    The files are read twice: whether every line can be read, and what would count, is known before
    the first event is sent. Events that the app would skip or refuse are not sent.
    """
    try:
        from streamapp.cli.importing import Request, import_files
        from streamapp.importing.csv_source import CsvForm
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise ConfigError(
            "import needs pyarrow: install the extra `import`, as in pip install "
            "'streamapp[import]'"
        ) from None
    from streamapp.importing.presets import preset as preset_named

    mapping = preset_named(preset).changed(columns, type_)
    form = CsvForm("\t" if delimiter == "\\t" else delimiter, encoding, header)
    import_files(Request(files, format_, mapping, form, dry_run), as_json)


@app.command()
def catalogue(
    feed: Annotated[
        str, typer.Argument(metavar="FILE-OR-URL", help="The whole feed; an http(s) address.")
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME", help="google, shopify, csv or jsonl.")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what differs, and send nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Send also if the feed is empty or has shrunk.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send what of a feed of products differs from the topic of the catalogue.

    An item that is missing in the feed becomes unavailable. A feed without items, or without more
    than 30 % of the items that are available on the topic, is refused.
    """
    from streamapp.cli.catalogue import Request, send_feed

    send_feed(Request(feed, format_, dry_run, force), as_json)


@deadletters.command("list")
def list_(
    code: Codes = None,
    topic: LetterTopic = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most letters to name.")] = 10,
    *,
    as_json: Json = False,
) -> None:
    """Count dead letters by topic and code, and name the newest ones."""
    from streamapp.cli.deadletters.listing import list_letters

    list_letters(code or (), topic, since, limit, as_json)


@deadletters.command("show")
def show_(
    addresses: Addresses = None,
    code: Codes = None,
    topic: LetterTopic = "",
    since: Since = "",
    limit: Annotated[
        int, typer.Option(min=1, max=1_000, help="Most letters without addresses.")
    ] = 1,
    *,
    as_json: Json = False,
) -> None:
    """Show dead letters in full: those at addresses, or the newest one."""
    from streamapp.cli.deadletters.showing import show_letters

    show_letters(addresses or (), code or (), topic, since, limit, as_json)


@deadletters.command("replay")
def replay_(
    addresses: Addresses = None,
    code: Codes = None,
    topic: LetterTopic = "",
    since: Since = "",
    after: Annotated[str, typer.Option(metavar="ADDRESS", help="Go on behind this address.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most records to send.")] = 1_000,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send refused records back to their source topics, the oldest first.

    Only what a worker with these settings accepts is sent, and a record at most three times.
    """
    from streamapp.cli.deadletters.replaying import Replay, replay_letters

    chosen = Replay(addresses or (), code or (), topic, since, after, limit, dry_run)
    replay_letters(chosen, as_json)


@app.command()
def audit(
    log: Annotated[
        list[Path],
        typer.Option(metavar="FILE...", help="Event logs in the order they were produced."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", hidden=True)] = None,
    timeout: Timeout = 120.0,
    *,
    as_json: Json = False,
) -> None:
    """Compare the state with event logs; exit 1 if it differs.

    Counts and lists are recomputed from the logs, which must hold everything that was produced.
    """
    from streamapp.cli.reports.audit import audit_state

    if more and len(log) > 1:
        raise typer.BadParameter("name all logs behind one --log, or each behind its own")
    audit_state([*log, *(more or [])], timeout, as_json)


@app.command()
def footprint(
    users: Annotated[int | None, typer.Option(min=0, help="Users with a history.")] = None,
    items: Annotated[int | None, typer.Option(min=0, help="Items.")] = None,
    pairs: Annotated[int | None, typer.Option(min=0, help="Pairs of items seen together.")] = None,
    history: Annotated[
        float,
        typer.Option(min=0, help="Mean items of a history, each once for every type it has seen."),
    ] = 10.0,
    id_bytes: Annotated[int, typer.Option(min=1, help="Mean bytes of an id.")] = 12,
    live: Annotated[
        int | None, typer.Option(min=0, help="Users who have a list; default all of them.")
    ] = None,
    categories: Annotated[int, typer.Option(min=0, help="Categories of the catalogue.")] = 0,
    *,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Partitions of every topic; default as they are."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict the memory that Redis needs: of a size that you give, or of the state there is."""
    from streamapp.cli.reports.footprint import show_footprint
    from streamapp.inspection.footprint import Size

    given = None
    if users is not None and items is not None and pairs is not None:
        listed = users if live is None else live
        given = Size(users, items, pairs, history, id_bytes, listed, categories)
    elif (users, items, pairs) != (None, None, None):
        raise typer.BadParameter("give --users, --items and --pairs, or none of them")
    show_footprint(given, partitions, as_json)


@app.command()
def rebuild(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, say what would happen.")
    ] = False,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Give up what was counted and Kafka no longer holds."),
    ] = False,
    drop_lists: Annotated[
        bool,
        typer.Option(
            "--drop-lists", help="Withdraw the lists too, which readers then miss for a while."
        ),
    ] = False,
    from_histories: Annotated[
        bool,
        typer.Option(
            "--from-histories",
            help="Count the histories in Redis instead of events, with PARTITIONS partitions.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a new state, counted from the first event that Kafka holds.

    Without --yes, nothing is changed. Stop all workers first: it refuses while one lives.

    Lists stay readable meanwhile, and those of items that no event names any more stay for ever,
    which is a difference to `audit`: --drop-lists withdraws all.

    With --from-histories no event is read: rows, norms and lists are made again from the histories.
    The internal topics get PARTITIONS partitions.
    """
    if from_histories:
        if drop_lists:
            raise ConfigError("--drop-lists does not go with --from-histories")
        from streamapp.cli.from_histories.command import rebuild_from_histories

        rebuild_from_histories(yes=yes, accept_loss=accept_loss, as_json=as_json)
        return
    from streamapp.cli.rebuild import rebuild_state

    rebuild_state(yes=yes, accept_loss=accept_loss, drop_lists=drop_lists, as_json=as_json)


@app.command()
def resume(
    *,
    accept_gap: Annotated[
        bool,
        typer.Option("--accept-gap", help="Do it; without it, say what would be skipped."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on after event records that Kafka dropped before they were read.

    The positions move to the first record that Kafka still has. Stop all workers first.
    """
    from streamapp.cli.resume import resume as resume_after_gap

    resume_after_gap(accept_gap=accept_gap, as_json=as_json)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command that the arguments name, and end the process."""
    run(app, "streamapp")
