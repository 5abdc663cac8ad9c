"""`streamapp export-user`: everything that is kept of a user, as JSON."""

import asyncio
from typing import Any

from streamapp.cli.session import state_session
from streamapp.cli.terminal.console import print_json
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.inspection.user_state import read_user


def export_user(user: str) -> None:
    """Print what Redis holds of a user, as one line of JSON; empty parts of an unknown user.

    Raises:
        StreamappError: there is no state, or it cannot be read.
    """
    print_json(asyncio.run(_read(load_settings(), user)))


async def _read(settings: Settings, user: str) -> dict[str, Any]:
    async with state_session(settings) as redis:
        return await read_user(redis, settings, user)
