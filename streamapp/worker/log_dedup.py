"""Passes repeated messages of a library to the log only once in a while."""

import copy
import logging
import time
from typing import NamedTuple

_INTERVAL_S = 10.0


class _Passed(NamedTuple):
    """When a message was passed on, and how often it was suppressed since."""

    at: float
    suppressed: int


class _Deduplicator(logging.Handler):
    """Passes a message on, and then suppresses equal ones for `_INTERVAL_S`.

    Two messages are equal if logger, level, text and exception are. Debug messages all pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int, str, str], _Passed] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on to the root logger, or suppress it."""
        try:
            due = self._due(record)
        except Exception:  # noqa: BLE001 - as handlers do if a message has wrong arguments
            self.handleError(record)
        else:
            if due is not None:
                logging.root.handle(due)

    def _due(self, record: logging.LogRecord) -> logging.LogRecord | None:
        if record.levelno < logging.INFO:
            return record
        now, text = time.monotonic(), record.getMessage()
        failure = repr(record.exc_info[1]) if record.exc_info else ""
        key = (record.name, record.levelno, text, failure)
        before = self._said.get(key, _Passed(-_INTERVAL_S, 0))
        if now - before.at < _INTERVAL_S:
            self._said[key] = before._replace(suppressed=before.suppressed + 1)
            return None
        self._said = {one: said for one, said in self._said.items()
                      if now - said.at < 2 * _INTERVAL_S}  # fmt: skip
        self._said[key] = _Passed(now, 0)
        if not before.suppressed:
            return record
        summary = copy.copy(record)
        summary.msg, summary.args = f"{text} ({before.suppressed} more like it were left out)", ()
        return summary


def deduplicate_logs(name: str) -> None:
    """Suppress equal messages of a logger and its children; a second call changes nothing."""
    logger = logging.getLogger(name)
    if logger.propagate:
        logger.propagate = False
        logger.addHandler(_Deduplicator())
