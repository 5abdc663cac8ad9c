"""The rule by which the contract asks readers of the output topic to keep records."""

from collections.abc import Iterable
from typing import Any

import orjson


def newest_lists(records: Iterable[Any]) -> dict[str, bytes]:
    """Return the lists of the record with the highest `seq` of each key; of equal ones, the last.

    Args:
        records: Records of the output topic, in the order of their partitions.
    """
    newest: dict[str, tuple[int, bytes | None]] = {}
    for record in records:
        key = record.key.decode()
        seq = int(dict(record.headers)["seq"])
        assert record.value is None or orjson.loads(record.value)["seq"] == seq
        if seq >= newest.get(key, (0, None))[0]:
            newest[key] = seq, record.value
    return {key: value for key, (_, value) in newest.items() if value is not None}
