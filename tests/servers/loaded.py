"""Loads once what every process of the app loads; processes are forked from the one that did.

The interpreter that imports this opens no connection and runs no loop.
"""

import gc
from importlib import import_module
from pkgutil import iter_modules

from streamapp import cli
from streamapp.core.histories.decay import Decay
from streamapp.worker.warm import warm

_COMMANDS = [f"streamapp.cli.{one.name}" for one in iter_modules(cli.__path__)]
_BY_NAME = ["faust.transport.drivers.aiokafka", "faust.worker", "loadtest.__main__"]

for name in ("streamapp.app", *_COMMANDS, *_BY_NAME):
    import_module(name)
warm(content=True)
warm(Decay(86_400.0))
gc.collect()
gc.freeze()
