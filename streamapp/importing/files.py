"""Opens files of events by their names."""

import codecs
from pathlib import Path

from streamapp.errors import ConfigError
from streamapp.eventlog.readable import readable
from streamapp.importing.csv_source import CsvForm, CsvSource
from streamapp.importing.json_source import JsonSource
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.parquet_source import ParquetSource
from streamapp.importing.source import Source

FORMATS = ("csv", "jsonl", "parquet")

_ENDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def source_of(path: Path, name: str, mapping: FieldMapping, form: CsvForm) -> Source:
    """Return a file as a source.

    Args:
        path: The file.
        name: One of `FORMATS`; empty to tell by the end of the name.
        mapping: The columns of the fields, and the names of types.
        form: What is known of CSV files; the encoding also of JSON lines.

    Raises:
        ConfigError: the file is not there, or its format, delimiter or encoding is unknown.
    """
    if name not in {"", *FORMATS}:
        raise ConfigError(f"--format {name}: one of {', '.join(FORMATS)} is needed")
    if len(form.delimiter) > 1:
        raise ConfigError(f"--delimiter {form.delimiter}: one character is needed")
    try:
        codecs.lookup(form.encoding or "utf-8")
    except LookupError:
        raise ConfigError(
            f"--encoding {form.encoding}: unknown; try utf-8, utf-16 or cp1252"
        ) from None
    found = name or _ENDS.get(Path(path.name.lower().removesuffix(".gz")).suffix, "")
    if not found:
        raise ConfigError(
            f"{path}: the name says no format; name one of {', '.join(FORMATS)} with --format"
        )
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ConfigError(f"{path}: a file on a disk is needed, because it is read twice")
    with readable(path):
        if found == "csv":
            return CsvSource(path, mapping, form)
        if found == "jsonl":
            return JsonSource(path, mapping, form.encoding)
        return ParquetSource(path, mapping)
