"""A pair of norms and rows that fit each other: the counts of one shard."""

from typing import NamedTuple

from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.decayed_rows import DecayedRows
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import Rows


class NormsAndRows(NamedTuple):
    """Norms and rows, both with decay or both without.

    Attributes:
        norms: Of all items that the shard knows.
        rows: Of the items that the shard owns.
    """

    norms: Norms
    rows: Rows

    @classmethod
    def unpack(cls, packed_norms: bytes = b"", *, decayed: bool = False) -> "NormsAndRows":
        """Return norms as a slot stores them, and no rows.

        Args:
            packed_norms: An array of `DECAYED_NORM` where ratings decay, else of `NORM`.
            decayed: Whether ratings decay.
        """
        if not decayed:
            return cls(Norms(packed_norms), Rows())
        norms = DecayedNorms(packed_norms)
        return cls(norms, DecayedRows(norms))
