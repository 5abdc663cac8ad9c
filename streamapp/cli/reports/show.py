"""`streamapp show`: a list as frontends read it."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import typer

from streamapp.cli.session import redis_session
from streamapp.cli.terminal.console import print_table
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import ITEM, TRENDING, USER
from streamapp.errors import StreamappError
from streamapp.store.slot.keys import list_name
from streamapp.store.values.product_reader import read_product

_COLUMNS = {
    ITEM: ("support",),
    **dict.fromkeys(PROJECTIONS, ("support",)),
    USER: ("reason", "because"),
    TRENDING: (),
}
"""The columns of an entry besides its id and score, by kind."""


def show_list(kind: str, name: str, as_json: bool, category: str = "") -> None:
    """Print a list, or if there is none, the list that readers fall back to.

    That is the trending list of the category, then the general one. A user always has a fallback.
    An item has one if the catalogue knows its category.

    Args:
        kind: `item`, `bought_together`, `bought_after_view`, `user` or `trending`.
        name: Id of the item or user, or the category; "" for the general trending list.
        as_json: Whether to print exactly the bytes of the key.
        category: The category to fall back to; "" for none, or for that of the item.

    Raises:
        StreamappError: there is no such list, or it cannot be read.
    """
    settings = load_settings()
    first = settings.list_prefix + list_name(kind, name)
    found = asyncio.run(_fetch(settings, kind, name, category))
    if found is None:
        raise StreamappError(f"there is no list under {first}")
    key, content = found
    if as_json:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        value = orjson.loads(content)
        about = _COLUMNS[value["kind"]]
        if any("reason" in entry for entry in value["items"]) and "reason" not in about:
            about = (*about, "reason")
        title = f"{key}, seq {value.get('seq')}"
        if "as_of" in value:
            at = datetime.fromtimestamp(value["as_of"], UTC)
            title += f", as of {at:%Y-%m-%d %H:%M:%S} UTC"
            about = ("score", *about)
        else:
            # The list has ids alone.
            about = tuple(name for name in about if name != "support")
        lines = [(rank, *_cells(entry, about)) for rank, entry in enumerate(value["items"], 1)]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StreamappError(f"{key} holds no list: {error}") from None
    if key != first:
        typer.echo(f"There is no list under {first}; readers then take:")
    print_table(title, ("", "id", *about), lines)


def _cells(entry: dict[str, Any], about: Sequence[str]) -> list[Any]:
    """Return the id of an entry, and its other columns; one that has a score needs a number."""
    cells = [float(entry[name]) if name == "score" else entry.get(name, "") for name in about]
    return [entry["id"], *cells]


async def _fetch(
    settings: Settings, kind: str, name: str, category: str
) -> tuple[str, bytes] | None:
    """Return the key that readers end at, and its value; None if there is none."""
    async with redis_session(settings) as redis:
        names = [list_name(kind, name)]
        if kind == ITEM and not category:
            product = await read_product(redis, settings, name)
            category = product.category if product else ""
        if category:
            names.append(list_name(TRENDING, category))
        if category or kind in {USER, TRENDING}:
            names.append(list_name(TRENDING, ""))
        for one in names:
            key = settings.list_prefix + one
            content: bytes | None = await redis.get(key)  # type: ignore[assignment]
            if content is not None:
                return key, content
    return None
