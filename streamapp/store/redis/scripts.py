"""Runs the Lua scripts; each is safe to run twice, so a lost reply is harmless."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from streamapp.store.redis.error_meanings import explained_errors

Value = bytes | str | int | float


_SHEBANG = "#!lua\n"


def script_text(name: str) -> str:
    """Return the text of `lua/<name>.lua`, after `lua/guard.lua` if the script uses it."""
    folder = files("streamapp.store.slot") / "lua"
    text = (folder / f"{name}.lua").read_text()
    if "guard." not in text:
        return text
    guard = (folder / "guard.lua").read_text()
    return _SHEBANG + guard + text.removeprefix(_SHEBANG)


@cache
def _source(name: str) -> tuple[str, str]:
    """Return the digest of a script, and its text."""
    text = script_text(name)
    return sha1(text.encode(), usedforsecurity=False).hexdigest(), text


async def run(redis: Redis, name: str, keys: Sequence[str], arguments: Sequence[Value]) -> Any:
    """Run the script `lua/<name>.lua`; load it first if the server does not have it.

    Raises:
        StreamappError: Redis refuses, for instance because a key is of another type.
    """
    digest, text = _source(name)
    with explained_errors(f"to run {name} on {keys[0]} and others"):
        try:
            return await redis.evalsha(digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(text, len(keys), *keys, *arguments)
