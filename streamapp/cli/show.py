"""Cli. `streamapp show`: a list as frontends read it."""

import asyncio
import sys
from datetime import UTC, datetime

import orjson
import typer

from streamapp.cli.console import print_table
from streamapp.cli.session import redis_session
from streamapp.core.listing import ITEM, TRENDING
from streamapp.core.projection import PROJECTIONS
from streamapp.errors import StreamappError
from streamapp.settings import Settings, load_settings
from streamapp.store.keys import list_name

_COLUMNS = {
    ITEM: ("support",),
    **dict.fromkeys(PROJECTIONS, ("support",)),
    "user": ("reason", "because"),
    TRENDING: (),
}
"""What is shown of an entry besides its id and score, by kind."""


def show_list(kind: str, name: str | None, as_json: bool) -> None:
    """Print a list, or where a user has none, what readers take then.

    Args:
        kind: `item`, `bought_together`, `bought_after_view`, `user` or `trending`.
        name: Id of the item or user; None for the one list of its kind.
        as_json: Whether to print the bytes of the key, exactly, and nothing else.

    Raises:
        StreamappError: there is no such list, or it cannot be read.
    """
    settings = load_settings()
    names = [list_name(kind, name or "")]
    if kind == "user":
        names.append(list_name(TRENDING, ""))
    found = asyncio.run(_fetch(settings, [settings.list_prefix + one for one in names]))
    if found is None:
        raise StreamappError(f"there is no list under {settings.list_prefix}{names[0]}")
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
        as_of = datetime.fromtimestamp(value["as_of"], UTC)
        lines = [
            (place, entry["id"], float(entry["score"]), *(entry.get(name, "") for name in about))
            for place, entry in enumerate(value["items"], 1)
        ]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StreamappError(f"{key} holds no list: {error}") from None
    if key != settings.list_prefix + names[0]:
        typer.echo(f"There is no list under {settings.list_prefix}{names[0]}; readers then take:")
    title = f"{key}, seq {value.get('seq')}, as of {as_of:%Y-%m-%d %H:%M:%S} UTC"
    print_table(title, ("", "id", "score", *about), lines)


async def _fetch(settings: Settings, keys: list[str]) -> tuple[str, bytes] | None:
    """Return the first of these keys that there is, and what lies under it."""
    async with redis_session(settings) as redis:
        for key in keys:
            content: bytes | None = await redis.get(key)  # type: ignore[assignment]
            if content is not None:
                return key, content
    return None
