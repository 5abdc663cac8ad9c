"""The topic of an event of a log or a file, by its type."""

from streamapp.config.rules import topic_by_type
from streamapp.config.settings import Settings
from streamapp.core.events.formats.known_formats import AUTO, FLAT
from streamapp.errors import ConfigError


class Router:
    """Chooses the topic of an event.

    By default an event goes to the topic that implies its type, and one of another type to the
    first event topic. An event that takes back follows what it takes back.

    Args:
        settings: The event topics and types.
        topic: The topic of all events; None for the default.

    Raises:
        ConfigError: an event may go to a topic that is read in another format.
    """

    def __init__(self, settings: Settings, topic: str | None) -> None:
        self._topic = topic
        self._first = settings.event_topics[0]
        self._by_name = topic_by_type(settings)
        for name in self.topics:
            form = settings.event_formats.get(name, FLAT.name)
            if form not in {FLAT.name, AUTO}:
                raise ConfigError(
                    f"EVENT_FORMATS reads {name} as {form}, and only flat events are sent"
                )

    @property
    def topics(self) -> list[str]:
        """Every topic that an event may go to."""
        if self._topic is not None:
            return [self._topic]
        return sorted({self._first, *self._by_name.values()})

    def topic(self, event_type: str | None) -> str:
        """Return the topic of an event, given the name of its type."""
        if self._topic is not None:
            return self._topic
        return self._by_name.get(event_type or "", self._first)
