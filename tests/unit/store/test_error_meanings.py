"""What replies of Redis mean: those that pass, a right that is missing, and damaged state."""

from unittest.mock import Mock

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio.client import Pipeline
from redis.exceptions import AuthenticationError, ClusterError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streamapp.errors import ConfigError, StateError, StreamappError
from streamapp.store.redis.error_meanings import Meaning, explained_errors, meaning_of, refusal

PASS = [
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.",
    "BUSY Redis is busy running a script.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CLUSTERDOWN The cluster is down",
    "ERR max number of clients reached",
]
RIGHTS = [
    "NOPERM this user has no permissions to run the 'set' command",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "ERR The user executing the script can't run this command or subcommand script: 1, on @u:2.",
    "ERR ACL failure in script: User w has no permissions to run the 'hget' command",
]
DAMAGED = [
    "WRONGTYPE Operation against a key holding the wrong kind of value script: 1, on @u:2.",
    "ERR streamapp: the item registry is shorter than the fence says",
]
UNKNOWN = [
    "ERR unknown command 'EVALSHA', with args beginning with:",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "ERR a reply that quotes an id: NOREPLICAS streamapp: WRONGTYPE",
    "BUSYKEY Target key name already exists.",
]


def parsed(reply: str) -> Exception:
    """Return the error that redis-py makes of a reply."""
    error: Exception = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    return error


def in_a_pipeline(reply: str) -> Exception:
    """Return the error that redis-py makes of a reply to a call of a pipeline."""
    error = parsed(reply)
    said = f"Command # 1 (GET WRONGTYPE of pipeline) of pipeline caused error: {error}"
    error.args = (said, *error.args[1:])
    return error


def in_an_asynchronous_pipeline(reply: str) -> Exception:
    """Return the error that redis-py makes where it does not block."""
    error = parsed(reply)
    Pipeline.annotate_exception(Mock(), error, 1, ("GET", "WRONGTYPE"))
    return error


CASES = [
    (reply, meaning)
    for replies, meaning in [
        (PASS, Meaning.PASSES),
        (RIGHTS, Meaning.RIGHT_MISSING),
        (DAMAGED, Meaning.DAMAGED),
        (UNKNOWN, Meaning.UNKNOWN),
    ]
    for reply in replies
]


@pytest.mark.parametrize("made", [parsed, in_a_pipeline, in_an_asynchronous_pipeline])
@pytest.mark.parametrize(("reply", "meaning"), CASES)
def test_a_reply_means_one_thing_alone_and_in_a_pipeline(
    made: type[Exception], reply: str, meaning: Meaning
) -> None:
    """Only its code and the beginning of its text decide."""
    assert meaning_of(made(reply)) is meaning


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (RedisConnectionError("refused"), Meaning.PASSES),
        (RedisTimeoutError("timeout"), Meaning.PASSES),
        (ClusterError("TTL exhausted."), Meaning.PASSES),
        (AuthenticationError("Invalid Username or Password"), Meaning.RIGHT_MISSING),
        (ResponseError("what"), Meaning.UNKNOWN),
        (ValueError("WRONGTYPE"), Meaning.UNKNOWN),
    ],
)
def test_an_error_of_redis_py_itself_means_what_its_type_says(
    error: Exception, meaning: Meaning
) -> None:
    """It has no code."""
    assert meaning_of(error) is meaning


@pytest.mark.parametrize(("reply", "meaning"), CASES)
def test_only_damaged_state_is_an_occasion_for_a_rebuild(reply: str, meaning: Meaning) -> None:
    """Each refusal is one line that names the reply; a missing right is a matter of settings."""
    ended = refusal(parsed(reply), "to read k")
    text = reply.removeprefix("ERR ")
    assert text in str(ended)
    assert ("rebuild" in str(ended)) == (meaning is Meaning.DAMAGED)
    assert isinstance(ended, StateError) == (meaning is Meaning.DAMAGED)
    assert (ended.exit_code == 2) == (meaning is Meaning.RIGHT_MISSING)


@pytest.mark.parametrize(
    ("reply", "ends"),
    [
        (PASS[0], ResponseError),
        (RIGHTS[0], ConfigError),
        (DAMAGED[0], StateError),
        (UNKNOWN[0], StreamappError),
    ],
)
def test_what_passes_is_left_to_those_who_wait(reply: str, ends: type[Exception]) -> None:
    """Everything else becomes one line."""
    with pytest.raises(ends), explained_errors("to read k"):
        raise parsed(reply)
