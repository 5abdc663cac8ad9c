"""Cli. `streamapp show`: a list as frontends read it."""

import asyncio
import sys
from datetime import UTC, datetime

import orjson

from streamapp.cli.console import print_table
from streamapp.cli.session import redis_session
from streamapp.errors import StreamappError
from streamapp.settings import Settings, load_settings
from streamapp.store.keys import list_name


def show_list(kind: str, name: str | None, as_json: bool) -> None:
    """Print a list.

    Args:
        kind: `item`, `user` or `trending`.
        name: Id of the item or user; None for the one list of its kind.
        as_json: Whether to print the bytes of the key, exactly, and nothing else.

    Raises:
        StreamappError: there is no such list, or it cannot be read.
    """
    settings = load_settings()
    key = settings.list_prefix + list_name(kind, name or "")
    content = asyncio.run(_fetch(settings, key))
    if content is None:
        raise StreamappError(f"there is no list under {key}")
    if as_json:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        value = orjson.loads(content)
        about = ("reason", "because") if kind == "user" else ("support",)
        as_of = datetime.fromtimestamp(value["as_of"], UTC)
        lines = [
            (place, entry["id"], float(entry["score"]), *(entry.get(name, "") for name in about))
            for place, entry in enumerate(value["items"], 1)
        ]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StreamappError(f"{key} holds no list: {error}") from None
    title = f"{key}, seq {value.get('seq')}, as of {as_of:%Y-%m-%d %H:%M:%S} UTC"
    print_table(title, ("", "id", "score", *about), lines)


async def _fetch(settings: Settings, key: str) -> bytes | None:
    async with redis_session(settings) as redis:
        content: bytes | None = await redis.get(key)  # type: ignore[assignment]
        return content
