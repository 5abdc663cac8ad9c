"""`streamapp worker`: a Faust worker in this process."""

import logging
import os
import sys
from typing import NoReturn

import faust

from streamapp.config.loader import load_settings
from streamapp.printable import visible
from streamapp.worker.composition import create_app


def run_worker() -> NoReturn:
    """Run a worker, and end the process when it is asked to stop.

    Raises:
        ConfigError: a setting is impossible.
    """
    settings = load_settings()
    worker = faust.Worker(create_app(settings), loglevel=settings.log_level)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        reason = worker.crash_reason or end.__context__
        if end.code and reason is not None:
            sys.stderr.write(
                f"streamapp: the worker stops, {type(reason).__name__}: {visible(str(reason))}; "
                "nothing is lost: what is not stored is read again when it is started\n"
            )
        # If partitions were assigned in the meantime, the thread that reads Kafka may wait for an
        # answer of the closed event loop. The interpreter would wait for that thread for ever.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
