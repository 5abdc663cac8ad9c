"""Every key, and the slot that it lives in.

The state of one partition of one log lies in one hash slot, named by the tag between the braces:
`{u3}` histories of interactions partition 3, `{i7}` rows of deltas partition 7, `{c1}` products of
catalogue partition 1, `{e:clicks:0}` the position in an event partition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

TOMBSTONE_LIFETIME_S = 86_400
"""How long a tombstone stays: longer than a worker may be paused."""


@dataclass(frozen=True, slots=True)
class SlotKeys:
    """The keys of one slot.

    Attributes:
        prefix: The state prefix.
        tag: What is between the braces.
    """

    prefix: str
    tag: str

    @property
    def head(self) -> str:
        """Hash: the head, see `streamapp.store.slot.head`."""
        return f"{self.prefix}{{{self.tag}}}:head"

    @property
    def items(self) -> str:
        """List: item ids; the index of an id is its number."""
        return f"{self.prefix}{{{self.tag}}}:items"

    @property
    def norms(self) -> str:
        """String: packed norms by item number."""
        return f"{self.prefix}{{{self.tag}}}:norms"

    @property
    def popularity(self) -> str:
        """String: packed popularity by item number."""
        return f"{self.prefix}{{{self.tag}}}:popularity"

    @property
    def availability(self) -> str:
        """String: packed availability by item number."""
        return f"{self.prefix}{{{self.tag}}}:availability"

    @property
    def categories(self) -> str:
        """String: packed categories by item number."""
        return f"{self.prefix}{{{self.tag}}}:categories"

    @property
    def tops(self) -> str:
        """Hash: category -> position, number and most popular items."""
        return f"{self.prefix}{{{self.tag}}}:tops"

    @property
    def touched(self) -> str:
        """Sorted set: category -> position of the slot at which its top was last written."""
        return f"{self.prefix}{{{self.tag}}}:touched"

    @property
    def content(self) -> str:
        """Hash: item id -> packed content neighbours."""
        return f"{self.prefix}{{{self.tag}}}:content"

    @property
    def audience(self) -> str:
        """Hash, the user list index: user -> Unix time in seconds at which the list expires."""
        return f"{self.prefix}{{{self.tag}}}:audience"

    @property
    def due(self) -> str:
        """Hash: number of a batch -> users whose lists became pending together, as JSON."""
        return f"{self.prefix}{{{self.tag}}}:due"

    def blob(self, name: str | int) -> str:
        """String: the position it was written at, then a history, a row or a product."""
        return f"{self.prefix}{{{self.tag}}}:b:{name}"


def histories_tag(partition: int) -> str:
    """Return the tag of the histories of an interactions partition."""
    return f"u{partition}"


def rows_tag(shard: int) -> str:
    """Return the tag of the rows of a shard."""
    return f"i{shard}"


def catalogue_tag(partition: int) -> str:
    """Return the tag of the products of a catalogue partition."""
    return f"c{partition}"


def intake_tag(topic: str, partition: int) -> str:
    """Return the tag of the position in an event partition."""
    return f"e:{topic}:{partition}"


def pattern_of(prefix: str) -> str:
    """Return the pattern by which SCAN finds the keys that begin with `prefix`."""
    return re.sub(r"([?*\[\]\\])", r"\\\1", prefix) + "*"


def list_name(kind: str, name: str) -> str:
    """Return the name of a list: `kind:name`, or `kind` for the only list of a kind."""
    return f"{kind}:{name}" if name else kind


def tombstone_key(prefix: str, list_key: str) -> str:
    """Return the key of the tombstone of a list: its last `seq`, in the hash slot of the list."""
    return _beside(f"{prefix}gone", list_key)


def details_key(prefix: str, list_key: str) -> str:
    """Return the key of a list with its details, where readers see ids alone."""
    return _beside(details_prefix(prefix), list_key)


def details_prefix(prefix: str) -> str:
    """Return what the keys of lists with details begin with; under it alone is a mark of them."""
    return f"{prefix}details"


def _beside(prefix: str, list_key: str) -> str:
    """Return a key in the hash slot of a list."""
    start = list_key.find("{")
    end = list_key.find("}", start + 1)
    if start >= 0 and end > start + 1:
        tag = list_key[start + 1 : end]
    elif "}" in list_key:
        # Redis hashes the whole key, and between braces it would end at the first of these.
        tag = _tags()[key_slot(list_key.encode())]
    else:
        tag = list_key
    return f"{prefix}:{{{tag}}}:{list_key}"


@cache
def _tags() -> Sequence[str]:
    """Return a tag for each hash slot: the smallest number whose decimal digits hash to it.

    Cost: a fifth of a second, once in a process, if an id has a brace that ends no tag.
    """
    tags = [""] * REDIS_CLUSTER_HASH_SLOTS
    missing = len(tags)
    for number in count():
        slot = key_slot(b"%d" % number)
        if not tags[slot]:
            tags[slot] = str(number)
            missing -= 1
            if not missing:
                break
    return tags
