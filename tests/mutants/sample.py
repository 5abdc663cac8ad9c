"""Draws mutants by a seed."""

import ast
from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.mutants.mutant import Mutant, Point, difference
from tests.mutants.scopes import scopes


def drawn(
    group: str,
    points: Sequence[Point],
    sources: dict[str, str],
    count: int,
    seed: int,
    skipped: Callable[[Mutant], bool],
) -> list[Mutant]:
    """Return up to `count` mutants of a group, at as many different places.

    Every place has the same chance, however many mutations are possible there. Mutants that do not
    parse or that are `skipped` are replaced by others.

    Args:
        group: Its name; each group draws for itself.
        points: All places of its files.
        sources: The text of each file.
        count: How many to return at most.
        seed: The same seed draws the same mutants from the same files.
        skipped: Says which mutants are of no use.
    """
    random = Random(f"{seed}:{group}")  # noqa: S311 - a sample, no secret
    order = random.sample(points, len(points))
    mutants: list[Mutant] = []
    for point in order:
        if len(mutants) == count:
            break
        changes = random.sample(point.changes, len(point.changes))
        made = (_made(group, point, change.what, change.apply(), sources) for change in changes)
        mutants += _first(mutant for mutant in made if mutant and not skipped(mutant))
    return mutants


def _made(group: str, point: Point, what: str, text: str, sources: dict[str, str]) -> Mutant | None:
    source = sources[point.path]
    if text == source or not _parses(point.path, text):
        return None
    line, before, after = difference(source, text)
    scope = scopes(point.path, source)[line - 1]
    return Mutant(group, point.path, line, scope, what, before, after, text)


def _parses(path: str, text: str) -> bool:
    """Say whether a file can be read; a script is read by the server."""
    try:
        return not path.endswith(".py") or ast.parse(text) is not None
    except SyntaxError:
        return False


def _first(mutants: Iterator[Mutant]) -> list[Mutant]:
    return [mutant for mutant, _ in zip(mutants, range(1), strict=False)]
