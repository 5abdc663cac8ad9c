"""Places in Python files whose mutation cannot change what the program does, by rule.

A mutant that no test can tell from the original says nothing about the tests. Each rule has its
reason; single equivalents are in `equivalent.toml`.
"""

from collections.abc import Callable, Iterator
from typing import Any

_LAYOUT_DECORATORS = {"compiled", "compiled_aside", "cache", "override", "final", "overload"}


def is_meaningless(node: Any) -> bool:
    """Say whether a rule excludes a node of parso's tree."""
    return any(rule(node) for rule in _RULES)


def _in_annotation(node: Any) -> bool:
    """Types are for the type checker; nothing reads them while the program runs."""
    for child, parent in _ancestry(node):
        if parent.type == "annassign":
            is_alias = "TypeAlias" in parent.children[1].get_code()
            if child is parent.children[1] or is_alias:
                return True
        elif parent.type in {"tfpdef", "funcdef"}:
            annotation = parent.children[2] if parent.type == "tfpdef" else parent.annotation
            if child is annotation:
                return True
    return False


def _in_type_alias(node: Any) -> bool:
    """A module-level union of types is an annotation that has a name."""
    for child, parent in _ancestry(node):
        if parent.type == "expr_stmt":
            value = parent.children[-1]
            is_union = value.type == "expr" and value.children[1].value == "|"
            return child is value and is_union and parent.get_first_leaf().column == 0
    return False


def _in_message(node: Any) -> bool:
    """The wording of errors and logs is for people, and tests name only the words that matter."""
    in_string = False
    for child, parent in _ancestry(node):
        in_string = in_string or child.type in {"fstring", "strings"}
        if parent.type == "raise_stmt" and in_string:
            return True
        if parent.type == "atom_expr" and parent.get_first_leaf().value == "logger":
            return True
    return False


def _in_assertion(node: Any) -> bool:
    """An assertion states what is always true; a weaker one is true as well."""
    return any(parent.type == "assert_stmt" for _, parent in _ancestry(node))


def _is_strict_flag(node: Any) -> bool:
    """The `strict` of `zip` asserts equal lengths."""
    for _, parent in _ancestry(node):
        if parent.type == "argument":
            return bool(parent.get_first_leaf().value == "strict")
    return False


def _in_decorator(node: Any) -> bool:
    """Options of decorators, and some decorators, choose speed and layout, not results."""
    for child, parent in _ancestry(node):
        if parent.type == "decorator":
            return True
        if child.type == "decorator":
            break
    return node.type == "decorator" and node.children[1].get_code() in _LAYOUT_DECORATORS


def _is_marker_of_parameters(node: Any) -> bool:
    """A bare star or slash in a signature is not an operator."""
    parent = node.parent
    return bool(node.type == "operator" and parent.type in {"parameters", "dictorsetmaker"})


def _ancestry(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each node with its parent, from `node` outwards."""
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


_RULES: tuple[Callable[[Any], bool], ...] = (
    _in_annotation,
    _in_type_alias,
    _in_message,
    _in_assertion,
    _is_strict_flag,
    _in_decorator,
    _is_marker_of_parameters,
)
