"""Variants: the rules of lists that an evaluation compares."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from loadtest.evaluation.similarities import Similarity
from streamapp.core.lists.blending import BlendRule
from streamapp.errors import ConfigError

POPULAR = "popularity"

WHOLE = 100_000
"""A depth that no history has."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One rule of lists.

    Attributes:
        similarity: The rule of item lists.
        blend: The rule of user lists from these.
    """

    similarity: Similarity
    blend: BlendRule


_OF_SIMILARITY = {field.name for field in fields(Similarity)}

_SWITCH = {"yes": True, "no": False}.__getitem__
_FIELDS: dict[str, tuple[str, Callable[[str], Any], Callable[[Any], bool], str]] = {
    "depth": (
        "depth",
        lambda text: WHOLE if text == "all" else int(text),
        lambda depth: 0 < depth <= WHOLE,
        "all, or a whole number over 0",
    ),
    "neighbours": (
        "neighbours",
        lambda text: None if text == "all" else int(text),
        lambda value: value is None or value > 0,
        "all, or a whole number over 0",
    ),
    "damping": ("damping", float, lambda value: 0 <= value < math.inf, "a number from 0"),
    "alpha": ("alpha", float, lambda value: 0 <= value <= 1, "a number from 0 to 1"),
    "fading": (
        "fading",
        lambda text: None if text == "reciprocal" else float(text),
        lambda value: value is None or 0 <= value <= 1,
        "reciprocal, or a number from 0 to 1",
    ),
    "rated": ("rated", _SWITCH, lambda _: True, "yes or no"),
    "binary": ("binary", _SWITCH, lambda _: True, "yes or no"),
    "exclude": (
        "exclude_from",
        lambda text: float({"all": "0", "none": "inf"}.get(text, text)),
        lambda value: value >= 0,
        "all, none, or the smallest rating that excludes an item",
    ),
}
"""By name in a text: its field, its reader, its allowed values, and its requirement."""


def variants_of(texts: Sequence[str], top_n: int) -> dict[str, Variant]:
    """Return the variants that texts such as `depth=1,damping=20` describe, by text.

    Raises:
        ConfigError: one has an unknown name or an impossible value.
    """
    return {text: _variant(text, top_n) for text in texts}


def spaced(text: str) -> str:
    """Return a text for people, with line breaks allowed between its parts."""
    return text.replace(",", ", ")


def _variant(text: str, top_n: int) -> Variant:
    values: dict[str, Any] = {"depth": WHOLE}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in _FIELDS:
            raise ConfigError(f"--list {text}: there is no {name!r}, only {', '.join(_FIELDS)}")
        field, read, counts, needed = _FIELDS[name]
        try:
            values[field] = read(value)
        except (ValueError, KeyError):
            raise ConfigError(f"--list {text}: {name} needs {needed}") from None
        if not counts(values[field]):
            raise ConfigError(f"--list {text}: {name} needs {needed}")
    similarity = {field: values.pop(field) for field in _OF_SIMILARITY & values.keys()}
    return Variant(Similarity(**similarity), BlendRule(top_n, **values))
