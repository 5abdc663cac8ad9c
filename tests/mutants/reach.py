"""Which quick tests may notice a change."""

from collections.abc import Iterable
from pathlib import Path

from coverage import CoverageData

from tests.mutants.definitions import Definition, Definitions
from tests.mutants.mutant import Mutant


class Reach:
    """Looks up what the baseline run saw.

    Args:
        root: The tree.
        coverage: The lines that each test ran, by paths relative to the root.
    """

    def __init__(self, root: Path, coverage: CoverageData) -> None:
        self._root = root
        self._definitions = Definitions(root)
        self._of_tests = Definitions(root, "tests")
        self._tests: dict[str, dict[int, set[str]]] = {}
        for name in coverage.measured_files():
            lines = coverage.contexts_by_lineno(name)
            self._tests[name] = {
                line: {each.split("|")[0] for each in contexts if each}
                for line, contexts in lines.items()
            }
        self._all = {
            test for lines in self._tests.values() for tests in lines.values() for test in tests
        }

    def tests(self, mutant: Mutant) -> set[str]:
        """Return the tests that may notice, as pytest names them."""
        if not mutant.path.endswith(".py"):
            return set().union(*map(self._tests_of_script, self._scripts_with(mutant)))
        around = self._definitions.at(mutant.path, mutant.line)
        if around is None:
            return self._tests_of_file(mutant.path)
        if around.is_plain:
            here = range(mutant.line, mutant.line + mutant.before.count("\n") + 1)
            whole = range(around.first, around.last + 1)
            found = self._tests_at(mutant.path, here) or self._tests_at(mutant.path, whole)
            # What no test runs may run at import, as decorators do.
            return found or self._tests_of_users(around)
        return self._tests_of_users(around)

    def _scripts_with(self, mutant: Mutant) -> list[str]:
        """Return the names of the scripts that a file of Lua is part of: itself, or its users."""
        folder = (self._root / mutant.path).parent
        use = f"{mutant.scope}."
        users = [path.stem for path in folder.glob("*.lua") if use in path.read_text()]
        return [mutant.scope, *users]

    def _tests_of_script(self, name: str) -> set[str]:
        """Return the tests that run a script through the app, and those of files that name it."""
        files = self._of_tests.files_naming(name)
        direct = {test for test in self._all if test.split("::")[0] in files}
        return direct | self._tests_of(self._definitions.naming(name))

    def _tests_of_users(self, changed: Definition) -> set[str]:
        users = self._definitions.users(changed)
        lines = ((each, line) for each, name in users for line in each.mentions[name])
        return self._tests_of((each, line) for each, line in lines if each.is_plain)

    def _tests_of(self, places: Iterable[tuple[Definition, int]]) -> set[str]:
        return {test for each, line in places for test in self._tests_at(each.path, [line])}

    def _tests_at(self, path: str, lines: Iterable[int]) -> set[str]:
        ran = self._tests.get(path, {})
        return {test for line in lines for test in ran.get(line, ())}

    def _tests_of_file(self, path: str) -> set[str]:
        """Return the tests that run a line of a file, or else those that use what it defines."""
        found = self._tests_at(path, self._tests.get(path, {}))
        of_users = map(self._tests_of_users, self._definitions.of(path))
        return found or set().union(*of_users)
