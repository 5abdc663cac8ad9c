"""Runs the quick tests on one mutant."""

import re
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.mutants import tree
from tests.mutants.baseline import CHILD, PYTEST, Baseline
from tests.mutants.mutant import Mutant
from tests.mutants.process import Ended, run

_CPU_S = 90
"""CPU seconds for imports and compiling, on top of three times what the tests take."""

_WALL_S = 600.0
_TEST_S = 60
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
        (folder / "tests.txt").write_text("\n".join(tests))
        cpu = _CPU_S + 3 * sum(base.seconds[test] for test in tests)
        chosen = [
            *PYTEST,
            "-x",
            "--tb=no",
            "-rfE",
            f"--timeout={_TEST_S}",
            f"@{folder / 'tests.txt'}",
        ]
        limits = [str(int(cpu)), str(_MEMORY), "-"]
        ended = run(root, [*CHILD, *limits, *chosen], _WALL_S + cpu)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome, killer = _judged(ended)
    return Verdict(mutant, outcome, killer, len(tests), time.monotonic() - began)


def _judged(ended: Ended) -> tuple[str, str]:
    """Return the outcome, and the test that failed.

    Raises:
        RuntimeError: pytest could not be asked.
    """
    if ended.code == 0:
        return "survived", ""
    if ended.code in {1, 2}:
        found = _FAILED.search(ended.output)
        killer = found[1] if found else "import"
        return ("timeout" if "Failed: Timeout" in ended.output else "failed"), killer
    if ended.code in {None, -signal.SIGXCPU, -signal.SIGKILL}:
        return "timeout", ""
    if ended.code is not None and ended.code < 0:
        return "crashed", ""
    raise RuntimeError(ended.output)
