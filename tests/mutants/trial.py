"""Runs the quick tests on one mutant."""

import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.mutants import tree
from tests.mutants.baseline import PYTEST, Baseline
from tests.mutants.forks import Ended, Limits, forked
from tests.mutants.mutant import Mutant

_CPU_S = 90
"""CPU seconds for imports and compiling, on top of three times what the tests take."""

_TEST_S = 60
"""Seconds of one test, on top of five times the longest."""

_WALL_S = 600.0
"""Seconds on top of ten times the CPU seconds, for a busy machine."""

_MEMORY = 6 << 30
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        mutant: The mutant.
        outcome: "failed" (a test did), "crashed", "timeout", "survived", or "unreached" if no test
            runs its line.
        killer: The test that failed, where one did.
        tests: How many tests could notice.
        seconds: How long it took.
    """

    mutant: Mutant
    outcome: str
    killer: str
    tests: int
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether the tests noticed."""
        return self.outcome not in {"survived", "unreached"}


def tried(mutant: Mutant, base: Baseline, builds: Path) -> Verdict:
    """Run the tests that may notice a mutant, the fastest first, until one fails."""
    began = time.monotonic()
    tests = sorted(base.reach.tests(mutant) & base.seconds.keys(), key=base.seconds.__getitem__)
    if not tests:
        return Verdict(mutant, "unreached", "", 0, 0.0)
    folder = builds / f"trial-{token_hex(8)}"
    folder.mkdir()
    try:
        root = folder / "tree"
        tree.link(base.root, root, mutant.path, mutant.text)
        ended = _ran(root, tests, base)
        if "not found: " in ended.output:
            # The mutant changed the names of tests, which have parameters of the app.
            ended = _ran(root, sorted({test.split("::")[0] for test in tests}), base)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome, killer = _judged(ended)
    return Verdict(mutant, outcome, killer, len(tests), time.monotonic() - began)


def _ran(root: Path, tests: Sequence[str], base: Baseline) -> Ended:
    """Run tests, by name or by file, until one fails."""
    chosen = root.parent / "tests.txt"
    chosen.write_text("\n".join(tests))
    files = {test.split("::")[0] for test in tests}
    known = sum(took for test, took in base.seconds.items() if test.split("::")[0] in files)
    cpu_s = int(_CPU_S + 3 * known)
    test_s = int(_TEST_S + 5 * max(base.seconds.values()))
    arguments = [*PYTEST, "-x", "--tb=no", "-rfE", f"--timeout={test_s}", f"@{chosen}"]
    return forked(root, arguments, Limits(cpu_s, _WALL_S + 10 * cpu_s, _MEMORY))


def _judged(ended: Ended) -> tuple[str, str]:
    """Return the outcome, and the test that failed.

    Raises:
        RuntimeError: pytest could not be asked.
    """
    if ended.code == 0:
        return "survived", ""
    if ended.code in {1, 2} or "ImportError while loading conftest" in ended.output:
        found = _FAILED.search(ended.output)
        killer = found[1] if found else "import"
        return ("timeout" if "Failed: Timeout" in ended.output else "failed"), killer
    if ended.code in {None, -signal.SIGXCPU, -signal.SIGKILL}:
        return "timeout", ""
    if ended.code is not None and ended.code < 0:
        return "crashed", ""
    raise RuntimeError(ended.output)
