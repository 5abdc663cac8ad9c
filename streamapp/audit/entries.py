"""The entries of lists, decoded from the JSON that frontends read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.ids.role_registry import roles_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.list_format import VERSION


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of many lists, concatenated.

    Attributes:
        broken: Why a list cannot be read, by the number of its item.
        names: Id of the item of each entry.
        row: int32, shape (entries,). Number of the item whose list it is.
        place: int32. Rank in the list, from 0.
        other: int32. Number of the item of the entry; -1 for an unknown one.
        score: float64.
        support: int64; -1 if the entry has none.
    """

    broken: dict[int, str]
    names: list[str]
    row: Ints
    place: Ints
    other: Ints
    score: Floats
    support: Longs


def parse_lists(items: Sequence[str], lists: Sequence[bytes | None], kind: str = ITEM) -> Entries:
    """Return the entries of the lists of `items`, all of `kind`; None means no list.

    `items` have the ids of the pipeline of the kind, and entries have the ids that readers see.
    """
    roles = roles_of(kind)
    number = {
        item[len(roles.column) :]: place
        for place, item in enumerate(items)
        if item.startswith(roles.column)
    }
    broken: dict[int, str] = {}
    entries: list[tuple[str, int, int, int, float, int]] = []
    for row, content in enumerate(lists):
        if content is None:
            continue
        try:
            entries += _parse(content, row, (kind, items[row][len(roles.row) :]), number)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            broken[row] = f"unreadable ({type(error).__name__}: {error})"
    columns = list(zip(*entries, strict=True)) if entries else [()] * 6
    return Entries(
        broken,
        list(columns[0]),
        np.array(columns[1], np.int32),
        np.array(columns[2], np.int32),
        np.array(columns[3], np.int32),
        np.array(columns[4], np.float64),
        np.array(columns[5], np.int64),
    )


def _parse(
    content: bytes, row: int, name: tuple[str, str], number: dict[str, int]
) -> list[tuple[str, int, int, int, float, int]]:
    value = orjson.loads(content)
    if (value["v"], value["kind"], value["id"]) != (VERSION, *name):
        raise ValueError("v, kind and id are not what the key says")
    return [
        (
            entry["id"],
            row,
            place,
            number.get(entry["id"], -1),
            float(entry["score"]),
            int(entry.get("support", -1)),
        )
        for place, entry in enumerate(value["items"])
    ]
