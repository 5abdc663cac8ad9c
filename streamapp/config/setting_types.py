"""Types of settings: how a value is written in the environment, and which are allowed."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from streamapp.core.events.formats.known_formats import FORMAT_NAMES

ALIASES = {
    "view": "click",
    "product_viewed": "click",
    "Product Viewed": "click",
    "view_item": "click",
    "addtocart": "add_to_cart",
    "product_added": "add_to_cart",
    "Product Added": "add_to_cart",
    "buy": "purchase",
    "order": "purchase",
    "transaction": "purchase",
    "Order Completed": "purchase",
}

_OURS = {"decode_responses", "retry"}
"""Options of redis-py in a URL that the app sets itself: it reads bytes, and waits for Redis."""


def _names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(",") if name.strip()]


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): text.strip() for name, _, text in parts}


def _topic(name: str) -> str:
    if name in {".", ".."}:
        raise ValueError("Kafka has no topic of this name")
    return name


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) != len(names):
        raise ValueError("one or more distinct topic names are needed")
    return names


def _positive(weights: dict[str, float]) -> dict[str, float]:
    if not weights or not all(0 < weight < 1e6 for weight in weights.values()):
        raise ValueError("every type needs a weight over 0 and below 1000000")
    return weights


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _broker(url: str) -> str:
    """Check brokers; return them behind one scheme, however often it was written."""
    scheme = "kafka://"
    first, *more = (part.strip() for part in url.split(","))
    hosts = [first.removeprefix(scheme), *(part.removeprefix(scheme) for part in more)]
    hosts[-1] = hosts[-1].removesuffix("/")
    if "@" in url or any("?" in host or "#" in host for host in hosts):
        raise ValueError("kafka://host:port is needed, without credentials or options")
    if not first.startswith(scheme) or not all(map(_is_address, hosts)):
        raise ValueError("kafka://host:port is needed")
    return scheme + ",".join(hosts)


def _is_address(text: str) -> bool:
    return bool(text) and not set(text) & set("/ ") and _port_fits(text)


def _redis(url: str) -> str:
    parts = urlsplit(url)
    is_socket, database = parts.scheme == "unix", parts.path.strip("/")
    if not is_socket and (parts.scheme not in {"redis", "rediss"} or not _port_fits(parts.netloc)):
        raise ValueError("redis://host:port/db is needed, with a port from 1 to 65535")
    if not is_socket and database and not database.isdecimal():
        raise ValueError("redis://host:port/db is needed, with a number as db")
    if taken := sorted(_OURS & parse_qs(parts.query, keep_blank_values=True).keys()):
        raise ValueError(f"the app chooses {taken[0]} itself; leave it out")
    return url


def _port_fits(address: str) -> bool:
    """Return whether an address has no port or a possible one."""
    try:
        return urlsplit(f"//{address}").port != 0
    except ValueError:
        return False


def _known_formats(formats: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(set(formats.values()) - set(FORMAT_NAMES)):
        known = ", ".join(FORMAT_NAMES)
        raise ValueError(f"there is no format {unknown[0]!r}; there are {known}")
    return formats


def _half_life(seconds: float) -> float:
    """Check a half-life. Below an hour, new ratings are too large for nine digits of a score."""
    if seconds and not 3_600 <= seconds <= 315_360_000:
        raise ValueError("0, or 3600 to 315360000 seconds are needed")
    return seconds


LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
BrokerUrl = Annotated[str, AfterValidator(_broker)]
RedisUrl = Annotated[str, AfterValidator(_redis)]
TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,200}$"), AfterValidator(_topic)]
TopicOrNone = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,200}$"), AfterValidator(_topic)]
TopicNames = Annotated[
    tuple[TopicName, ...], NoDecode, BeforeValidator(_names), AfterValidator(_distinct)
]
Weights = Annotated[dict[str, float], NoDecode, BeforeValidator(_pairs), AfterValidator(_positive)]
Labels = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
Formats = Annotated[
    dict[str, str], NoDecode, BeforeValidator(_pairs), AfterValidator(_known_formats)
]
Ids = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
HalfLife = Annotated[float, AfterValidator(_half_life)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
KeyPrefix = Annotated[str, Field(pattern=r"^[^{}\s]{1,100}$")]
