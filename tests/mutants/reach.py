"""Which quick tests may notice a change."""

from collections.abc import Iterable

from coverage import CoverageData

from tests.mutants.definitions import Definition, Definitions
from tests.mutants.mutant import Mutant


class Reach:
    """Looks up what the baseline run saw.

    Args:
        definitions: Of the tree.
        coverage: The lines that each test ran, by paths relative to the root.
    """

    def __init__(self, definitions: Definitions, coverage: CoverageData) -> None:
        self._definitions = definitions
        self._tests: dict[str, dict[int, set[str]]] = {}
        for name in coverage.measured_files():
            lines = coverage.contexts_by_lineno(name)
            self._tests[name] = {
                line: {each.split("|")[0] for each in contexts if each}
                for line, contexts in lines.items()
            }

    def tests(self, mutant: Mutant) -> set[str]:
        """Return the tests that may notice, as pytest names them."""
        if not mutant.path.endswith(".py"):
            return self._tests_of(self._definitions.naming(mutant.scope))
        around = self._definitions.at(mutant.path, mutant.line)
        if around is None:
            return self._tests_of_file(mutant.path)
        if around.is_plain:
            here = range(mutant.line, mutant.line + mutant.before.count("\n") + 1)
            found = self._tests_at(mutant.path, here)
            return found or self._tests_at(mutant.path, range(around.first, around.last + 1))
        users = self._definitions.users(around)
        lines = ((each, line) for each, name in users for line in each.mentions[name])
        return self._tests_of((each, line) for each, line in lines if each.is_plain)

    def _tests_of(self, places: Iterable[tuple[Definition, int]]) -> set[str]:
        return {test for each, line in places for test in self._tests_at(each.path, [line])}

    def _tests_at(self, path: str, lines: Iterable[int]) -> set[str]:
        ran = self._tests.get(path, {})
        return {test for line in lines for test in ran.get(line, ())}

    def _tests_of_file(self, path: str) -> set[str]:
        return self._tests_at(path, self._tests.get(path, {}))
