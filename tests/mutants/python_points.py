"""Where Python files can be mutated: the operators of Cosmic Ray, driven as a library.

mutmut switches mutants inside of functions, and so skips every decorated one: it would mutate no
kernel.
"""

import re
from collections import Counter, defaultdict
from functools import cache, partial
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.meaningless import is_meaningless
from tests.mutants.mutant import Change, Point

_EXCLUDED = re.compile(
    # They need to be told which variables, and draw numbers that no seed repeats.
    r"Variable(Replacer|Inserter)"
    # Whether equal numbers are one object is an accident of CPython, and numba knows no objects.
    r"|Comparison\w+_(Eq|NotEq|Lt|LtE|Gt|GtE)_(Is|IsNot)$"
    r"|Comparison\w+_(Is|IsNot)_(Eq|NotEq|Lt|LtE|Gt|GtE)$"
)


def python_points(path: str, source: str) -> list[Point]:
    """Return the places of a module at which it can be mutated, in order.

    Cost: each operator looks at each node of the tree.
    """
    nodes = list(ast_nodes(get_ast(source)))
    changes: defaultdict[tuple[int, int], list[Change]] = defaultdict(list)
    for name, operator in _operators().items():
        seen: Counter[str] = Counter()
        for node in nodes:
            for position in operator.mutation_positions(node):
                occurrence = seen[name]
                seen[name] += 1
                if not is_meaningless(_mutated(node, position[0])):
                    apply = partial(_mutated_text, source, name, occurrence)
                    changes[position[0]].append(Change(name.split("/")[-1], apply))
    return [Point(path, *start, tuple(some)) for start, some in sorted(changes.items())]


def _mutated(node: Any, start: tuple[int, int]) -> Any:
    """Return what an operator mutates: a part of the node that it looks at, or the node."""
    return node if node.start_pos == start else node.get_leaf_for_position(start)


def _mutated_text(source: str, name: str, occurrence: int) -> str:
    """Return the mutant; the source itself if the operator cannot make it.

    Cosmic Ray finds a dotted name in a list of exceptions, and fails when it replaces the name.
    """
    try:
        text: str | None = mutate_code(source, _operators()[name], occurrence)
    except AttributeError:
        return source
    return source if text is None else text


@cache
def _operators() -> dict[str, Any]:
    names = sorted(name for name in operator_names() if not _EXCLUDED.search(name))
    return {name: get_operator(name)() for name in names}
