"""A broker and a Redis-compatible server from wheels, on loopback, without Docker.

Only `streamapp embedded`, the demo and the tests use it.
"""

from streamapp.embedded.serve import serve
from streamapp.embedded.server import Server
from streamapp.embedded.tansu import Tansu
from streamapp.embedded.valkey import Valkey

__all__ = ["Server", "Tansu", "Valkey", "serve"]
