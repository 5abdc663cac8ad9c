"""Tests. What every process of the app loads, loaded once: processes are forked from here.

The interpreter that imports this starts no thread and opens no connection.
"""

import gc

import faust.transport.drivers.aiokafka
import faust.worker

import loadtest.replay
import streamapp.app
import streamapp.cli.main
from streamapp.core.decay import Decay
from streamapp.warm import warm

__all__ = ["faust", "loadtest", "streamapp"]

warm(content=True)
warm(Decay(86_400.0))
gc.collect()
gc.freeze()
