"""Options and hooks for pytest runs on mutants."""

import json
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
    """Has Hypothesis stop at the first example that fails: no one needs the smallest one."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Choose the profile after `conftest.py` chose its own."""
        import hypothesis  # noqa: PLC0415 - pytest rewrites it, and must import it first

        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, deadline=None, phases=phases, report_multiple_bugs=False
        )
        hypothesis.settings.load_profile("mutants")
