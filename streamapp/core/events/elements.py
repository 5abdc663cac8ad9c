"""Elements: the events that a record's value holds, byte for byte as they came."""

import msgspec


def raw_elements(value: bytes, count: int) -> list[bytes]:
    """Return the `count` elements of a value that was read before, byte for byte as they came.

    Where one is nested almost too deeply they cannot be cut apart, and each is the whole value.
    """
    array = value
    try:
        if value.lstrip()[:1] == b"{":
            envelope = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
            array = bytes(envelope.get("events", b""))
            if array[:1] != b"[" or "item_id" in envelope:
                return [value]
        return [bytes(raw) for raw in msgspec.json.decode(array, type=list[msgspec.Raw])]
    except RecursionError:
        return [value] * count
