"""What an error of Redis means for a worker: one table, by the code that a reply begins with."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from streamapp.errors import ConfigError, StateError, StreamappError


class Meaning(Enum):
    """What an error means.

    Attributes:
        PASSES: It ends without the operator of the worker: the worker repeats the call.
        RIGHT_MISSING: The worker may not do this.
        DAMAGED: The state is not what workers write.
        UNKNOWN: Anything else, such as a command that this Redis does not have.
    """

    PASSES = "passes"
    RIGHT_MISSING = "right missing"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


_BY_CODE = {
    "BUSY": Meaning.PASSES,  # a script of another program takes long
    "CLUSTERDOWN": Meaning.PASSES,
    "LOADING": Meaning.PASSES,
    "MASTERDOWN": Meaning.PASSES,
    "MISCONF": Meaning.PASSES,  # it cannot write its files, such as on a full disk
    "NOREPLICAS": Meaning.PASSES,  # fewer replicas answer than min-replicas-to-write
    "OOM": Meaning.PASSES,
    "READONLY": Meaning.PASSES,  # a failover is under way
    "TRYAGAIN": Meaning.PASSES,  # a slot of a cluster moves
    "NOAUTH": Meaning.RIGHT_MISSING,
    "NOPERM": Meaning.RIGHT_MISSING,
    "WRONGPASS": Meaning.RIGHT_MISSING,
    "WRONGTYPE": Meaning.DAMAGED,
}

_BY_TEXT = {
    "The user executing the script can't": Meaning.RIGHT_MISSING,  # NOPERM inside a script
    "ACL failure in script": Meaning.RIGHT_MISSING,  # the same in later versions
    "streamapp: ": Meaning.DAMAGED,  # an error reply of the scripts of this app
}
"""Replies with the code ERR, by the beginning of their text."""

_BY_TYPE: dict[type[Exception], Meaning] = {
    AuthenticationError: Meaning.RIGHT_MISSING,
    AuthorizationError: Meaning.RIGHT_MISSING,
    RedisConnectionError: Meaning.PASSES,
    RedisTimeoutError: Meaning.PASSES,
    ClusterError: Meaning.PASSES,  # redis-py was sent around while a slot moved
}
"""Errors without a code; redis-py raises them itself."""


_IN_A_PIPELINE = " of pipeline caused error: "
_TUPLE = re.compile(r"""\A\((['"])(.*)\1,\)\Z""", re.DOTALL)
"""How redis-py shows a reply to a call of a pipeline: behind the call, as a tuple or as it is."""


def meaning_of(error: Exception) -> Meaning:
    """Return what an error means."""
    code, text = _reply(error)
    if code in _BY_CODE:
        return _BY_CODE[code]
    for beginning, meaning in _BY_TEXT.items():
        if text.startswith(beginning):
            return meaning
    return next((_BY_TYPE[kind] for kind in type(error).mro() if kind in _BY_TYPE), Meaning.UNKNOWN)


def passes(error: Exception) -> bool:
    """Return whether a worker repeats the call after this error, until it succeeds."""
    return meaning_of(error) is Meaning.PASSES


def reply_of(error: Exception) -> str:
    """Return what Redis replied, with the code that redis-py cuts off."""
    return " ".join(filter(None, _reply(error)))


def refusal(error: Exception, what: str) -> StreamappError:
    """Return the error that ends a program: one line that says what to do.

    Args:
        error: What Redis replied.
        what: What it was asked for, such as "to read KEY".
    """
    said = f"redis refuses {what}: {reply_of(error)}"
    meaning = meaning_of(error)
    if meaning is Meaning.DAMAGED:
        return StateError(
            f"{said}; if another program wrote there, count again from the first event with "
            "`streamapp rebuild`"
        )
    if meaning is Meaning.RIGHT_MISSING and _reply(error)[0] in {"NOAUTH", "WRONGPASS"}:
        return ConfigError(f"STREAMAPP_REDIS_URL: {said}; correct user and password in the URL")
    if meaning is Meaning.RIGHT_MISSING:
        return ConfigError(
            f"STREAMAPP_REDIS_URL: {said}; give the user of the URL that right (ACL SETUSER)"
        )
    return StreamappError(
        f"{said}; the state is as it was: correct Redis or its settings, and start again"
    )


@contextmanager
def explained_errors(what: str) -> Iterator[None]:
    """Turn an error into one line that says what Redis refuses.

    Args:
        what: What it is asked for, such as "to read KEY".

    Raises:
        StateError: the state is damaged, for instance because a key is of another type.
        ConfigError: Redis does not let the worker do this.
        StreamappError: Redis refuses for another reason that does not pass.
    """
    try:
        yield
    except ResponseError as error:
        if passes(error):
            raise
        raise refusal(error, what) from None


@contextmanager
def explained_missing_right(*command: object) -> Iterator[None]:
    """Turn a missing right into an error with one line that names the command.

    Raises:
        ConfigError: Redis does not let the worker do this.
    """
    try:
        yield
    except RedisError as error:
        if meaning_of(error) is not Meaning.RIGHT_MISSING:
            raise
        raise refusal(error, _what(command)) from None


def _what(command: tuple[object, ...]) -> str:
    name = str(command[0]).upper()
    # A script names the number of its keys before the keys.
    keys = command[3:4] if name.startswith("EVAL") else command[1:2]
    shown = "".join(f" {_shown(key)}" for key in keys)
    return f"{name}{shown}"


def _shown(key: object) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _reply(error: Exception) -> tuple[str, str]:
    """Return code and text of a reply; redis-py cuts off those codes that it knows."""
    text = str(error)
    if _IN_A_PIPELINE in text:
        text = _TUPLE.sub(r"\2", text.rpartition(_IN_A_PIPELINE)[2])
    if code := getattr(error, "status_code", None):
        return str(code), text
    code, _, rest = text.partition(" ")
    if isinstance(error, ResponseError) and code.isupper():
        return code, rest
    return "", text
