"""The headers of a record of the output topic."""

from collections.abc import Sequence

SEQ = "seq"
"""The header with the `seq` of a list, in decimal digits; a record without a value has it too."""


def seq_headers(seq: int) -> Sequence[tuple[str, bytes]]:
    """Return the headers of a list, or of its removal, of some `seq`."""
    return ((SEQ, b"%d" % seq),)
