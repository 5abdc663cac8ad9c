"""Rewrites the revisions of histories so that only pairs of a viewed and a bought item count.

The roles of items are in their ids: see `role_registry` (ADR-0013).
"""

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.history import Revisions
from streamapp.core.ids.role_registry import BOUGHT, PREFIX_BYTES, VIEWED, RoleRegistry

_VIEWED, _BOUGHT = ord(VIEWED[0]), ord(BOUGHT[0])


def directed_revisions(revisions: Revisions, registry: RoleRegistry) -> Revisions:
    """Return blocks that make the changes of `revisions`, for pairs with a direction only.

    With V and B for the ratings of viewed and of bought items, the dots `V^T B` change by
    `(V_new - V_old)^T B_old + V_new^T (B_new - B_old)`. So for each user first the viewed items
    change, while bought items have their old ratings. Then the bought items change, while viewed
    items have their new ratings. Each changed item has a block of its own, because two changed
    items of one block make a pair. An item makes no pair with itself.

    Cost: O(changed items * history), as many entries at most.
    """
    return Revisions(
        *_directed(
            revisions.starts,
            revisions.item,
            revisions.before,
            revisions.after,
            revisions.ts,
            revisions.as_of,
            *registry.text,
        )
    )


@compiled
def _directed(
    starts: Longs,
    item: Ints,
    before: Floats,
    after: Floats,
    ts: Floats,
    as_of: Floats,
    text: Bytes,
    ends: Longs,
) -> tuple[Longs, Ints, Floats, Floats, Floats, Floats]:
    blocks = most = 0
    for user in range(len(as_of)):
        changes = 0
        for entry in range(starts[user], starts[user + 1]):
            changes += before[entry] != after[entry]
        blocks += changes
        most += changes * (starts[user + 1] - starts[user])
    new_starts, newest = np.zeros(blocks + 1, np.int64), np.empty(blocks)
    items, times = np.empty(most, np.int32), np.empty(most)
    old, new = np.empty(most), np.empty(most)
    block = end = 0
    for user in range(len(as_of)):
        for role in (_VIEWED, _BOUGHT):
            for entry in range(starts[user], starts[user + 1]):
                if before[entry] == after[entry] or text[ends[item[entry]]] != role:
                    continue
                items[end], times[end] = item[entry], ts[entry]
                old[end], new[end] = before[entry], after[entry]
                end += 1
                for other in range(starts[user], starts[user + 1]):
                    rating = before[other] if role == _VIEWED else after[other]
                    if rating > 0 and _makes_a_pair(text, ends, item[entry], item[other]):
                        items[end], times[end] = item[other], ts[other]
                        old[end] = new[end] = rating
                        end += 1
                newest[block] = as_of[user]
                block += 1
                new_starts[block] = end
    return new_starts, items[:end], old[:end], new[:end], times[:end], newest


@compiled
def _makes_a_pair(text: Bytes, ends: Longs, left: int, right: int) -> bool:
    """Say whether two items have different roles and are not the same product."""
    left_start, right_start = ends[left], ends[right]
    if text[left_start] == text[right_start]:
        return False
    size = ends[left + 1] - left_start
    if size != ends[right + 1] - right_start:
        return True
    for offset in range(PREFIX_BYTES, size):
        if text[left_start + offset] != text[right_start + offset]:
            return True
    return False
