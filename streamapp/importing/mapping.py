"""Which column of a file holds which field of an event, and what its types are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamapp.errors import ConfigError
from streamapp.eventlog.header import names

FIELDS = ("user_id", "item_id", "type", "ts", "order_id", "anonymous_id")
"""The fields of an event that a column may hold."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How the columns of a file become the fields of flat events.

    Attributes:
        columns: Name of the column by field. A field that is not named has a column of its own
            name. An empty name leaves the field out.
        types: Our name of a type by its name in the file.
        fixed_type: The type of all events; empty if a column holds it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    fixed_type: str = ""

    def changed(self, columns: str, fixed_type: str) -> "FieldMapping":
        """Return this mapping with what the command line says.

        Args:
            columns: `field=column,...`, perhaps empty.
            fixed_type: The type of all events, perhaps empty.

        Raises:
            ConfigError: `columns` has another form, or names no field of an event.
        """
        named = dict(self.columns)
        for pair in columns.split(",") if columns else ():
            name, equals, column = (part.strip() for part in pair.partition("="))
            if not equals or name not in FIELDS:
                raise ConfigError(
                    f"--columns {pair}: field=column is needed, with a field of {', '.join(FIELDS)}"
                )
            named[name] = column
        return replace(self, columns=named, fixed_type=fixed_type or self.fixed_type)

    @property
    def wanted(self) -> dict[str, str]:
        """The column of each field that a column may hold."""
        found = {name: self.columns.get(name, name) for name in FIELDS}
        if self.fixed_type:
            found["type"] = ""
        return {name: column for name, column in found.items() if column}

    def places(self, header: Sequence[str], where: str) -> dict[str, int]:
        """Return the place of each field in a header.

        Args:
            header: The names of the columns. They are read without spaces around them and in any
                case, and REES46's names are known.
            where: The file, for the message.

        Raises:
            ConfigError: the header lacks a column that is needed or was named.
        """
        found, missing, plain = {}, [], names(header)
        for name, column in self.wanted.items():
            if column in header:
                found[name] = header.index(column)
            elif column in plain:
                found[name] = plain.index(column)
            elif name in self.columns or name in {"item_id", "type", "ts"}:
                missing.append(column)
        if "user_id" not in found and "anonymous_id" not in found and "user_id" not in self.columns:
            missing.append("user_id")
        if missing:
            has = ", ".join(header)[:200]
            raise ConfigError(
                f"{where}: there is no column {', '.join(missing)} among {has}; "
                "name columns with --columns, or all of a file without a header with --header"
            )
        return found
