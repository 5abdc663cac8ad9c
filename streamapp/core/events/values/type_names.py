"""Finds the type of an event by the name that its tracker uses for it."""

from collections.abc import Mapping

from streamapp.core.events.formats.format import Format


class TypeNames:
    """The names of types in events of one format.

    Attributes:
        types: Type by every name that is used as it is.

    Args:
        known: Type by name from the settings. They win over the names of the format.
        form: The format, which has its own names.
    """

    def __init__(self, known: Mapping[str, str], form: Format) -> None:
        own = {
            name: known[event_type]
            for name, event_type in form.types.items()
            if event_type in known
        }
        self.types: Mapping[str, str] = own | dict(known)
        self._last_word = form.last_word

    def spelled(self, name: str) -> str | None:
        """Return the type of a name with space around it, or with words before it; else None."""
        event_type = self.types.get(name.strip())
        if event_type is None and self._last_word:
            event_type = self.types.get(name.rpartition(".")[2].strip())
        return event_type
