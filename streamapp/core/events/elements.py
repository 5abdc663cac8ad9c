"""Elements: the events that a record's value holds, byte for byte as they came."""

from streamapp.core.events.raw_json import elements_of, members_of


def raw_elements(value: bytes, count: int) -> list[bytes]:
    """Return the `count` elements of a value that was already read, byte for byte as they came.

    If they cannot be cut apart, each is the whole value.
    """
    array = value
    if value.lstrip()[:1] == b"{":
        members = members_of(value) or {}
        array = b"" if "item_id" in members else members.get("events", b"")
    found = elements_of(array)
    return found if found is not None and len(found) == count else [value] * count
