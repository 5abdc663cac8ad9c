"""Draw mutants, run the quick tests on each, and say which survive."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.mutants.baseline import Baseline, BaselineError, baseline
from tests.mutants.equivalents import equivalents, is_equivalent
from tests.mutants.lua_points import lua_points
from tests.mutants.mutant import Mutant, Point
from tests.mutants.python_points import python_points
from tests.mutants.report import line_of, rate, show, write
from tests.mutants.sample import drawn
from tests.mutants.targets import Group, groups
from tests.mutants.trial import Verdict, tried

_PROJECT = Path(__file__).parents[2]


def main() -> int:
    """Return 0 if enough mutants were killed, 1 if not, 2 if tests fail without any."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 160)
    builds = _PROJECT / "build" / "mutants"
    builds.mkdir(parents=True, exist_ok=True)
    console.print("the quick tests run once on the unchanged tree, unless they did before")
    try:
        base = baseline(_PROJECT, builds, options.processes)
    except BaselineError as error:
        console.print(f"{error}\nthe quick tests fail on the unchanged tree", markup=False)
        return 2
    mutants = _mutants(base.root, options)
    controls = _verdicts(console, _controls(base, mutants), base, builds, options.processes)
    if any(each.killed for each in controls):
        console.print("a control was killed, which is no mutant: nothing can be said")
        return 2
    console.print(f"{len(mutants)} mutants of seed {options.seed}")
    verdicts = _verdicts(console, mutants, base, builds, options.processes)
    write(builds / f"seed-{options.seed}.json", verdicts)
    show(console, verdicts)
    return int(rate(verdicts) < options.threshold)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the sample")
    parser.add_argument("--count", type=int, default=200, help="mutants to draw")
    parser.add_argument("--processes", type=int, default=2, help="mutants at a time")
    parser.add_argument("--threshold", type=float, default=0.9, help="part that must be killed")
    parser.add_argument("--only", default="", help="mutate only where 'path:scope' contains this")
    return parser.parse_args()


def _mutants(root: Path, options: argparse.Namespace) -> list[Mutant]:
    known = equivalents()

    def skipped(mutant: Mutant) -> bool:
        place = f"{mutant.path}:{mutant.scope}"
        return options.only not in place or is_equivalent(mutant, known)

    mutants: list[Mutant] = []
    for group in groups(root):
        sources = {path: (root / path).read_text() for path in group.files}
        share = 1.0 if options.only else group.share
        count = round(options.count * share)
        points = _points(group, sources)
        mutants += drawn(group.name, points, sources, count, options.seed, skipped)
    return mutants


def _controls(base: Baseline, mutants: Sequence[Mutant]) -> list[Mutant]:
    """Return of each group one that is the original, and that few tests reach: it must survive."""
    cheap: dict[str, Mutant] = {}
    for mutant in sorted(mutants, key=lambda each: len(base.reach.tests(each))):
        if base.reach.tests(mutant):
            text = (base.root / mutant.path).read_text()
            cheap.setdefault(mutant.group, replace(mutant, what="none", after="", text=text))
    return list(cheap.values())


def _points(group: Group, sources: dict[str, str]) -> list[Point]:
    found: list[Point] = []
    for path in group.files:
        find = python_points if path.endswith(".py") else lua_points
        found += find(path, sources[path])
    return found


def _verdicts(
    console: Console, mutants: list[Mutant], base: Baseline, builds: Path, processes: int
) -> list[Verdict]:
    """Try all mutants, several at a time; return the verdicts in the order of the mutants."""
    with ThreadPoolExecutor(processes) as pool:
        running = {pool.submit(tried, each, base, builds): each for each in mutants}
        done: dict[Mutant, Verdict] = {}
        try:
            for number, future in enumerate(as_completed(running), 1):
                verdict = future.result()
                done[verdict.mutant] = verdict
                line = line_of(verdict, number, len(mutants))
                console.print(line, markup=False, soft_wrap=True, highlight=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[each] for each in mutants]


if __name__ == "__main__":
    sys.exit(main())
