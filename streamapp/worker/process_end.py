"""How the worker's process ends: at once on an error, and in bounded time when it is asked to."""

import logging
import os
import sys
from threading import Timer
from typing import NoReturn

from streamapp.errors import StreamappError, UnansweredError
from streamapp.printable import visible

logger = logging.getLogger(__name__)


def end_process(error: BaseException) -> NoReturn:
    """End the process without acknowledging anything: the next worker reads unstored records again.

    A `StreamappError` is printed as one line without control characters, anything else is logged
    with its traceback.
    """
    if isinstance(error, StreamappError):
        # Other threads still run, and the reason is to be the last line.
        logging.disable()
        sys.stderr.write(f"streamapp: {visible(str(error))}\n")
    else:
        logger.critical("the worker stops", exc_info=error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(getattr(error, "exit_code", 1))


def start_stop_timer(seconds: float) -> None:
    """End the process after a time if it still runs.

    The timer is a thread, because the event loop itself may hang.
    """
    error = UnansweredError(
        f"asked to end, and after {seconds:g} s Kafka or Redis had not taken all that was read; "
        "nothing is lost: the next owner reads it again"
    )
    timer = Timer(seconds, end_process, [error])
    timer.daemon = True
    timer.start()
