"""Programs: how a child of the benchmark is told what to do, and says what it found.

It hears JSON objects as lines on standard input, the first one when it starts, and answers with
lines on standard output.
"""

import sys
from typing import Any

import orjson


def say(value: dict[str, Any]) -> None:
    """Answer."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def heard() -> dict[str, Any]:
    """Wait for the next object on standard input, and return it; empty where there is no more."""
    line = sys.stdin.buffer.readline()
    found: dict[str, Any] = orjson.loads(line) if line else {}
    return found
