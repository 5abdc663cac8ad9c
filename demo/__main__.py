"""The story, told while it happens: `python -m demo`."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from demo.acts import Acts, Entry, acts_on, audit, write_log
from demo.demo_env import CHOSEN, DemoEnv, open_demo_env
from demo.films import CACHE, NoFilmsError, film_shop
from demo.shop import Shop, made_up_shop
from streamapp.cli.terminal.console import progress
from streamapp.cli.terminal.outcome import HELP, run
from streamapp.config.env_check import PREFIX
from streamapp.eventlog import LoggedEvent

_NEIGHBOURS = 4
_ENTRIES = 2

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
console = Console(markup=False, highlight=False)


@app.command()
def demo(
    cache: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the data is kept for the next time.")
    ] = CACHE,
) -> None:
    """Run the app on this machine: events in, lists out, and every count checked."""
    began = time.monotonic()
    with open_demo_env() as env:
        shop = _open_shop(env, cache, began)
        logs = asyncio.run(_play(env, shop))
        _audit(logs)
    _say(f"\nDone in {time.monotonic() - began:.1f} s; everything that was started is stopped.")


def _open_shop(env: DemoEnv, cache: Path, began: float) -> Shop:
    """Return the films, or a made-up shop without them; the worker starts meanwhile."""
    with progress() as begin:
        begin("starting the worker, reading the events")
        try:
            shop, instead = film_shop(cache), None
        except NoFilmsError as error:
            shop, instead = made_up_shop(), f"MovieLens cannot be had ({error})."
        env.wait_ready()
    _head("The app")
    _say(f"An embedded broker, an embedded Redis and one `streamapp worker`: "
         f"ready after {time.monotonic() - began:.1f} s.")  # fmt: skip
    chosen = " ".join(f"{PREFIX}{name}={value}" for name, value in CHOSEN.items())
    _say(f"Settings that change results: {chosen}")
    _head("The events")
    if instead:
        _say(instead)
    _say(shop.about)
    return shop


async def _play(env: DemoEnv, shop: Shop) -> list[Path]:
    """Show the lists of a shop; return the logs of all events that were sent."""
    async with acts_on(env) as acts:
        total, elapsed_s = len(shop.events), await acts.replay(shop.events)
        _say(f"{total:,} events of {shop.users:,} users on {len(shop.names):,} items: sent, "
             f"counted and in all lists after {elapsed_s:.1f} s.")  # fmt: skip
        _head("Neighbours: cosine similarity, and the users behind each pair")
        lists = {item: await acts.read(item) for item in shop.shown}
        _print_neighbours(shop, lists)
        item = shop.shown[-1]
        _head("What a frontend reads: one GET")
        _say(f"redis> GET {acts.key(item)}\n{_shortened(lists[item])}")
        _head("A click, live")
        clicks = await _visit(acts, shop, item, orjson.loads(lists[item])["items"][0]["id"])
    logs = {"replayed.csv": shop.events, "live.csv": clicks}
    return [write_log(env.folder / name, events) for name, events in logs.items()]


async def _visit(acts: Acts, shop: Shop, item: str, other: str) -> list[LoggedEvent]:
    """Let a new visitor click an item and its first neighbour; return the events."""
    clicks = [LoggedEvent("a-new-visitor", one, "click", time.time()) for one in (item, other)]
    moment = await acts.visit(clicks)
    _say(f"A new visitor clicks {shop.names[item]} and {shop.names[other]}; "
         f"{moment.elapsed_s * 1000:.0f} ms later the key has it:")  # fmt: skip
    _say(f"before  {orjson.dumps(moment.before).decode()}")
    _say(f"after   {orjson.dumps(moment.after).decode()}")
    _head("A list for the visitor, and why")
    _print_list(shop, await acts.list_for(clicks[-1].user_id, clicks[-1].item_id))
    return clicks


def _audit(logs: list[Path]) -> None:
    _head("The audit: everything counted again, in one batch, from the log")
    report = audit(logs)
    compared = ", ".join(f"{count:,} {name}" for name, count in report["compared"].items())
    _say(f"{report['interactions']:,} interactions; compared {compared}: "
         f"{report['differences']} differences")  # fmt: skip


def _print_neighbours(shop: Shop, lists: dict[str, bytes]) -> None:
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("similarity", justify="right")
    table.add_column("users", justify="right")
    for item, content in lists.items():
        table.add_row(shop.names[item], style="bold")
        for entry in orjson.loads(content)["items"][:_NEIGHBOURS]:
            name, score = shop.names[entry["id"]], f"{entry['score']:.3f}"
            table.add_row(f"  {name}", score, f"{entry['support']:,}")
    console.print(table)


def _print_list(shop: Shop, entries: list[Entry]) -> None:
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for column in ("", "because of"):
        table.add_column(column, no_wrap=True)
    for entry in entries[:_NEIGHBOURS]:
        table.add_row(f"  {shop.names[entry['id']]}", shop.names[entry["because"]])
    console.print(table)


def _shortened(content: bytes) -> str:
    """Return a list with its first entries, and how many more there are."""
    value = orjson.loads(content)
    more = len(value["items"]) - _ENTRIES
    value["items"] = value["items"][:_ENTRIES]
    return orjson.dumps(value).decode().removesuffix("]}") + f", ... {more} more]}}"


def _head(text: str) -> None:
    console.print(f"\n{text}", style="bold", soft_wrap=True)


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)


if __name__ == "__main__":
    run(app, "demo")
