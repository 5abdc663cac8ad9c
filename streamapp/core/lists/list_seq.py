"""The `seq` of a list: in its JSON, and as a header of its record on the output topic."""

import re
from collections.abc import Sequence

SEQ = "seq"
"""The header with the `seq` of a list, in decimal digits; a record without a value has it too."""

_IN_JSON = re.compile(rb'"seq":(\d+)')
"""The first match is the `seq`: quotes of an id before it are escaped."""


def seq_of(content: bytes) -> int:
    """Return the `seq` of a list; 0 where there is no list."""
    found = _IN_JSON.search(content)
    return int(found[1]) if found else 0


def seq_headers(seq: int) -> Sequence[tuple[str, bytes]]:
    """Return the headers of a list, or of its removal, of some `seq`."""
    return ((SEQ, b"%d" % seq),)
