"""What every process of the app loads, loaded once: processes are forked from the one that did.

The interpreter that imports this opens no connection and runs no loop.
"""

import gc

import faust.transport.drivers.aiokafka
import faust.worker

import loadtest.replay
import streamapp.app
import streamapp.cli.main
from streamapp.core.histories.decay import Decay
from streamapp.worker.warm import warm

__all__ = ["faust", "loadtest", "streamapp"]

warm(content=True)
warm(Decay(86_400.0))
gc.collect()
gc.freeze()
