"""Faust as this project configures it: the consumer group and the worker around the agents.

Tables, the web server and the monitor of Faust are switched off. ADR-0005 says why.
"""

from typing import Any

import faust
from faust.app.base import BootStrategy

from streamapp.config.settings import Settings
from streamapp.transport.consuming.consumer_thread import READ_BYTES

METADATA_MAX_AGE_S = 30.0
"""How soon the worker notices a topic with more partitions, or one that was deleted and made."""


class _WithoutWeb(BootStrategy):
    """Starts no web server: that of Faust listens on all interfaces."""

    def _should_enable_web(self) -> bool:
        return False


class FaustApp(faust.App):
    """A Faust app without tables, web server and monitor, configured by the settings."""

    BootStrategy = _WithoutWeb

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.group_id, **_options(settings))

    def _create_directories(self) -> None:
        """Create no folders: those of Faust are for tables."""


class _SilentMonitor(faust.Monitor):
    """Counts nothing for each message."""

    def on_message_in(self, *_: Any, **__: Any) -> None: ...
    def on_stream_event_in(self, *_: Any, **__: Any) -> None: ...
    def on_stream_event_out(self, *_: Any, **__: Any) -> None: ...
    def on_message_out(self, *_: Any, **__: Any) -> None: ...


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "broker": settings.broker_url.replace(",", ";kafka://"),
        "store": "memory://",
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "stream_buffer_maxsize": 65_536,
        "stream_wait_empty": True,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": READ_BYTES,
        "consumer_metadata_max_age_ms": int(METADATA_MAX_AGE_S * 1000),
        "consumer_group_instance_id": settings.instance_id or None,
        "broker_max_poll_records": settings.max_poll_records,
        "broker_max_poll_interval": 7 * 86_400.0,
        "broker_commit_interval": 1.0,
        "broker_commit_every": 1_000_000,
        "broker_session_timeout": settings.session_timeout,
        "broker_heartbeat_interval": settings.session_timeout / 5,
        "broker_rebalance_timeout": max(30.0, settings.session_timeout),
        "broker_request_timeout": max(60.0, settings.session_timeout),
        "worker_redirect_stdouts": False,
        "Monitor": _SilentMonitor,
        "web_enabled": False,
    }
