"""How every Kafka client of the app connects."""

from typing import Any
from urllib.parse import urlsplit

from streamapp.config.settings import Settings


def broker_addresses(settings: Settings) -> list[str]:
    """Return the brokers, each as `host:port`."""
    return urlsplit(settings.broker_url).netloc.split(",")


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the options that every client of aiokafka connects with."""
    return {"bootstrap_servers": broker_addresses(settings)}
