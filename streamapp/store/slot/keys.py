"""Every key, and the slot that it lives in.

The state of one partition of one log lies in one hash slot, named by the tag between the braces:
`{u3}` histories of interactions partition 3, `{i7}` rows of deltas partition 7, `{c1}` products of
catalogue partition 1, `{e:clicks:0}` the position in an event partition.
"""

import re
from dataclasses import dataclass

TOMBSTONE_LIFETIME_S = 86_400
"""How long what is gone is remembered by its position: longer than a worker may sleep."""


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
        """Hash: position, fences, counters and the settings that made the state."""
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
        """Sorted set: category -> position of the slot at which its top was last put."""
        return f"{self.prefix}{{{self.tag}}}:touched"

    @property
    def content(self) -> str:
        """Hash: item id -> packed content neighbours."""
        return f"{self.prefix}{{{self.tag}}}:content"

    @property
    def audience(self) -> str:
        """Hash: user -> when the list is removed."""
        return f"{self.prefix}{{{self.tag}}}:audience"

    @property
    def due(self) -> str:
        """Hash: round -> users whose lists are due since then."""
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
    """Return the tag of what is known of items from a catalogue partition."""
    return f"c{partition}"


def intake_tag(topic: str, partition: int) -> str:
    """Return the tag of the position in an event partition."""
    return f"e:{topic}:{partition}"


def pattern_of(prefix: str) -> str:
    """Return the pattern by which SCAN finds the keys that begin with `prefix`."""
    return re.sub(r"([?*\[\]\\])", r"\\\1", prefix) + "*"


def list_name(kind: str, name: str) -> str:
    """Return how a list is called: `kind:name`, or `kind` where there is only one of it."""
    return f"{kind}:{name}" if name else kind


def tombstone_key(prefix: str, list_key: str) -> str:
    """Return the key that remembers the last `seq` of a list that is gone, in the list's slot."""
    start = list_key.find("{")
    end = list_key.find("}", start + 1)
    tag = list_key[start + 1 : end] if start >= 0 and end > start + 1 else list_key
    return f"{prefix}gone:{{{tag}}}:{list_key}"
