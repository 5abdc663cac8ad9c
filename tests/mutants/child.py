"""Runs quick tests in a copy of the tree, within limits, so that no mutant harms the machine."""

import json
import os
import resource
import sys
from pathlib import Path

import pytest


class Clock:
    """Writes how long each test took to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up set-up, call and tear-down."""
        spent = self._seconds.get(report.nodeid, 0.0)
        self._seconds[report.nodeid] = spent + report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; workers of xdist report to the one that started them."""
        if not hasattr(session.config, "workerinput"):
            self._path.write_text(json.dumps(self._seconds))


class Hasty:
    """Has Hypothesis stop at the first example that fails: nobody reads the smallest one."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Choose the profile after `conftest.py` chose its own."""
        import hypothesis  # noqa: PLC0415 - pytest rewrites it, and must import it first

        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, deadline=None, phases=phases, report_multiple_bugs=False
        )
        hypothesis.settings.load_profile("mutants")


def main(arguments: list[str]) -> int:
    """Run pytest on the tree in this folder.

    Args:
        arguments: CPU seconds, bytes of memory (0 for no limit), a file for durations or "-", and
            what pytest gets.
    """
    cpu, memory, clock, *rest = arguments
    import streamapp  # noqa: PLC0415 - of this folder, or nothing was tested

    if Path.cwd() not in Path(streamapp.__file__).parents:
        sys.exit(f"{streamapp.__file__} is not in {Path.cwd()}")
    for limit, kind in ((cpu, resource.RLIMIT_CPU), (memory, resource.RLIMIT_AS)):
        if int(limit):
            resource.setrlimit(kind, (int(limit), int(limit)))
    plugins: list[object] = [Hasty()] if clock == "-" else [Clock(Path(clock))]
    return int(pytest.main(rest, plugins))


if __name__ == "__main__":
    # Whatever a mutant left behind, as threads that never end, must not hold the process.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
