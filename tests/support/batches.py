"""Record batches as other clients than aiokafka write them, with headers of any name."""

from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class Name(str):
    """The name of a header that is written as Latin-1, and so need not be UTF-8."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        """Return the written bytes."""
        return super().encode("latin-1")


def builder(codec: int = 0) -> Any:
    """Return the builder of record batches in Python, because the compiled one takes no such names.

    Args:
        codec: How it is compressed, as the format numbers it: 0 not at all, 1 gzip, 2 snappy,
            3 lz4, 4 zstd.
    """
    return _DefaultRecordBatchBuilderPy(
        magic=2, compression_type=codec, is_transactional=False,
        producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1_000_000,
    )  # fmt: skip
