"""Programs: how a child of the benchmark gets its input, and prints its result.

It reads JSON objects as lines on standard input, the first one when it starts, and answers with
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
    """Wait for the next object on standard input, and return it; empty at the end."""
    line = sys.stdin.buffer.readline()
    found: dict[str, Any] = orjson.loads(line) if line else {}
    return found
