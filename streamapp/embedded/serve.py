"""Runs both servers until Ctrl-C, for `streamapp embedded`."""

import signal
import sys
from threading import Event

from streamapp.embedded.server import Server
from streamapp.embedded.tansu import Tansu
from streamapp.embedded.valkey import Valkey
from streamapp.errors import StreamappError

_CHECK_INTERVAL_S = 0.5


def serve(kafka_port: int, redis_port: int) -> None:
    """Run a broker and a Redis on loopback, until SIGINT or SIGTERM.

    When both answer, it prints the two settings that name them, ready to be copied into a shell.

    Args:
        kafka_port: Port of the broker; 0 takes a free port.
        redis_port: Port of Redis; 0 takes a free port.

    Raises:
        ConfigError: a port is taken, or the extra `embedded` is not installed.
        StreamappError: a server does not start, or ends unasked.
    """
    end = Event()
    before = {
        number: signal.signal(number, lambda *_: end.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Tansu(kafka_port) as broker, Valkey(redis_port) as redis:
            sys.stdout.write(f"export STREAMAPP_BROKER_URL={broker.url}\n")
            sys.stdout.write(f"export STREAMAPP_REDIS_URL={redis.url}\n")
            sys.stdout.flush()
            while not end.wait(_CHECK_INTERVAL_S):
                _check(broker, redis)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(*servers: Server) -> None:
    for server in servers:
        if server.pid is None:
            raise StreamappError(f"{server.name} ended: {server.log_tail()}")
