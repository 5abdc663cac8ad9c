"""What a library says again and again is logged once in a while."""

import copy
import logging
import time
from typing import NamedTuple

_INTERVAL_S = 10.0


class _Said(NamedTuple):
    """When a message was passed on, and how often it was left out since."""

    at: float
    left_out: int


class _Sparing(logging.Handler):
    """Passes a message on, and then none like it for `_INTERVAL_S`; only debugging sees them all.

    Like it is what the same logger says in the same words, to the last digit: nothing that is said
    once is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int, str, str], _Said] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on to the root logger, or leave it out."""
        try:
            due = self._due(record)
        except Exception:  # noqa: BLE001 - what handlers do where a message has wrong arguments
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
        before = self._said.get(key, _Said(-_INTERVAL_S, 0))
        if now - before.at < _INTERVAL_S:
            self._said[key] = before._replace(left_out=before.left_out + 1)
            return None
        self._said = {one: said for one, said in self._said.items()
                      if now - said.at < 2 * _INTERVAL_S}  # fmt: skip
        self._said[key] = _Said(now, 0)
        if not before.left_out:
            return record
        told = copy.copy(record)
        told.msg, told.args = f"{text} ({before.left_out} more like it were left out)", ()
        return told


def deduplicate_logs(name: str) -> None:
    """Let a logger and all below it say the same once in `_INTERVAL_S`; again changes nothing."""
    logger = logging.getLogger(name)
    if logger.propagate:
        logger.propagate = False
        logger.addHandler(_Sparing())
