"""Finds the type that an event means by the name that its tracker has for it."""

from collections.abc import Mapping

from streamapp.core.events.formats.envelope import Format


class TypeNames:
    """The names of types in events of one format.

    Attributes:
        types: Type by every name that needs no spelling.

    Args:
        known: Type by name, as the settings say. They win over the names of the format.
        form: The format, which has names of its own.
    """

    def __init__(self, known: Mapping[str, str], form: Format) -> None:
        own = {name: known[kind] for name, kind in form.types.items() if kind in known}
        self.types: Mapping[str, str] = own | dict(known)
        self._last_word = form.last_word

    def spelled(self, name: str) -> str | None:
        """Return the type of a name with space around it, or with words before it; else None."""
        kind = self.types.get(name.strip())
        if kind is None and self._last_word:
            kind = self.types.get(name.rpartition(".")[2].strip())
        return kind
