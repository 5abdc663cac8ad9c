"""Event logs: files of events, as the load test produces them and the audit counts them."""

from streamapp.eventlog.header import COLUMNS
from streamapp.eventlog.log import ORDER, LoggedEvent, read_log

__all__ = ["COLUMNS", "ORDER", "LoggedEvent", "read_log"]
