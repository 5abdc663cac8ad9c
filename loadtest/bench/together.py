"""Programs that run beside a worker and have the same second 0."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.process import Process

_HEAD_START_S = 0.5


@contextmanager
def together(
    env: BenchEnv, run: str, asked: Mapping[str, dict[str, Any]], timeout_s: float
) -> Iterator[tuple[dict[str, Process], float]]:
    """Yield programs by their names, and their second 0 on the monotonic clock; end them all.

    Args:
        env: The environment.
        run: Name of the run.
        asked: The input of each program, by the name of its module.
        timeout_s: How long a program may take to be ready.

    Raises:
        StreamappError: a program ends, or is not ready in time.
    """
    with ExitStack() as stack:
        started = {
            name: env.program(run, f"loadtest.bench.{name}", value) for name, value in asked.items()
        }
        for program in started.values():
            stack.callback(program.kill)
        for program in started.values():
            program.hear(timeout_s)
        start_s = time.monotonic() + _HEAD_START_S
        for program in started.values():
            program.say({"start_s": start_s})
        yield started, start_s
