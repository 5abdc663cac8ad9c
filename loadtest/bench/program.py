"""Load test. Programs: how a child of the benchmark is told what to do, and says what it found.

It gets a JSON object as its only argument, further ones as lines on standard input, and answers
with lines on standard output.
"""

import sys
from typing import Any

import orjson


def asked() -> dict[str, Any]:
    """Return what this program is asked to do."""
    found: dict[str, Any] = orjson.loads(sys.argv[1])
    return found


def say(value: dict[str, Any]) -> None:
    """Answer."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def heard() -> dict[str, Any]:
    """Wait for the next object on standard input, and return it; empty where there is no more."""
    line = sys.stdin.buffer.readline()
    found: dict[str, Any] = orjson.loads(line) if line else {}
    return found
