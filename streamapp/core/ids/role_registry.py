"""Role items: a viewed item and the same item as a bought one are two items.

A kind of lists with a direction counts pairs of a viewed and a bought item only. A prefix of the
item id says the role. A viewed item has a row, and the cells of this row are for bought items. So
the shard computes and stores nothing else (ADR-0013).
"""

from collections.abc import Iterable
from typing import NamedTuple

from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW

VIEWED = "v:"
"""The prefix of a viewed item, which has a row."""

BOUGHT = "b:"
"""The prefix of a bought item, which is in rows."""

PREFIX_BYTES = len(VIEWED)
"""The length of either prefix."""


class Roles(NamedTuple):
    """The prefixes of item ids in the pipeline of a kind of lists; "" in a kind without roles.

    Attributes:
        row: Of the item that has the list.
        column: Of the items in the list.
    """

    row: str = ""
    column: str = ""


NO_ROLES = Roles()


def roles_of(kind: str) -> Roles:
    """Return the roles in the pipeline of a kind of lists."""
    return Roles(VIEWED, BOUGHT) if kind == BOUGHT_AFTER_VIEW else NO_ROLES


def registry_of(kind: str) -> Registry:
    """Return an empty registry for the pipeline of a kind of lists."""
    return RoleRegistry() if roles_of(kind).row else Registry()


class RoleRegistry(Registry):
    """Items whose ids begin with a role. No shard owns a bought item: it has no row."""

    prefix_bytes = PREFIX_BYTES
    listed_prefix = BOUGHT

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._public_ids: list[str] = []
        super().__init__(ids)

    @property
    def public_ids(self) -> list[str]:
        """The ids that readers see, by number."""
        self._public_ids += [item[PREFIX_BYTES:] for item in self.ids[len(self._public_ids) :]]
        return self._public_ids

    def shards(self, count: int, numbers: Ints) -> Ints:
        """Return the shard, of `count` shards, that owns each item, int32; -1 for no shard."""
        text, ends = self.text
        owners = super().shards(count, numbers)
        owners[text[ends[numbers]] == ord(BOUGHT[0])] = -1
        return owners
