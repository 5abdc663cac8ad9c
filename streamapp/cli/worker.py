"""Cli. `streamapp worker`: a Faust worker in this process."""

import faust

from streamapp.app import create_app
from streamapp.settings import load_settings


def run_worker() -> None:
    """Run a worker; it ends the process when it is told to stop.

    Raises:
        ConfigError: a setting is impossible.
    """
    settings = load_settings()
    faust.Worker(create_app(settings), loglevel=settings.log_level).execute_from_commandline()
