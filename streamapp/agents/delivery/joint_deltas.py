"""Puts the deltas of several partitions of histories into one message."""

from collections.abc import Iterator, Sequence

from streamapp.core.messages.delta import JOINT_BYTES, JOINT_KEY, joint
from streamapp.transport.producer import Outgoing


def joint_deltas(messages: Sequence[Outgoing]) -> list[Outgoing]:
    """Return messages with the deltas of `messages`, all for one shard, in order.

    A shard takes the deltas of a message at once, which costs it little more than one delta.
    A delta of more than `JOINT_BYTES` is a message of its own, as it was.
    """
    return [
        Outgoing(joint(some), JOINT_KEY) if len(some) > 1 else Outgoing(some[0])
        for some in _groups([message.value or b"" for message in messages])
    ]


def _groups(values: Sequence[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for value in values:
        if group and size + len(value) > JOINT_BYTES:
            yield group
            group, size = [], 0
        group.append(value)
        size += len(value)
    if group:
        yield group
