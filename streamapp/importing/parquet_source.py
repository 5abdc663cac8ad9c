"""Reads Parquet files, a batch of columns at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from streamapp.errors import ConfigError
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.source import Portion

_BATCH_ROWS = 20_000


class ParquetSource:
    """A Parquet file.

    Args:
        path: The file.
        mapping: The columns of the fields.

    Attributes:
        size: Bytes of the file.

    Cost: memory for a few pages of each column; row groups are not read whole.
    """

    def __init__(self, path: Path, mapping: FieldMapping) -> None:
        self.size = path.stat().st_size
        self._path = path
        self._mapping = mapping

    def check(self) -> None:
        """Do nothing: a damaged page is found where it is read."""

    def portions(self) -> Iterator[Portion]:
        """Yield the file from its begin.

        Raises:
            ConfigError: it is no Parquet file, is damaged, or lacks a column.
        """
        try:
            # Buffered: otherwise the reader keeps a whole row group, which may be the whole file.
            with parquet.ParquetFile(self._path, buffer_size=1 << 20, pre_buffer=False) as file:
                rows = max(1, file.metadata.num_rows)
                header = file.schema_arrow.names
                places = self._mapping.places(header, str(self._path))
                kept = sorted({header[place] for place in places.values()})
                read = 0
                for batch in file.iter_batches(_BATCH_ROWS, columns=kept, use_threads=False):
                    read += len(batch)
                    found = {name: batch.column(header[place]) for name, place in places.items()}
                    yield Portion(found, (), (), self.size * read // rows, len(batch))
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{self._path}: cannot be read as Parquet: {reason}") from None
