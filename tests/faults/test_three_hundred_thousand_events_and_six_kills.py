"""A long log, and a worker that is killed again and again while it works it off."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise

import orjson
import pytest

from tests.faults.shop import exact, sent_of, total, wait_applied
from tests.integration.traffic import Act, Sent, produce, succeeded, synthetic
from tests.servers.deployment import Deployment

_EVENTS = 300_000
_KILLS = 6
_IN_A_RECORD = 25


def records(deployment: Deployment, acts: Sequence[Act]) -> Iterator[Sent]:
    """Yield the acts as records that hold up to 25 of one user and topic, each in its order."""
    open_ones: dict[tuple[str, bool], list[Act]] = {}
    for act in acts:
        waiting = open_ones.setdefault((act.user, act.type == "purchase"), [])
        waiting.append(act)
        if len(waiting) == _IN_A_RECORD:
            yield sent_of(deployment, waiting)
            waiting.clear()
    for waiting in open_ones.values():
        if waiting:
            yield sent_of(deployment, waiting)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_exactly_three_hundred_thousand_are_applied(deployment: Deployment) -> None:
    """SIGKILL in the middle of each seventh but the last; status, audit and topic agree."""
    acts = list(synthetic(seed=81, events=_EVENTS, users=2_000))
    succeeded(deployment, "streamapp", "topics")
    one = deployment.idle_worker("one", instance_id="one", max_poll_records="50")
    bounds = [_EVENTS * part // (_KILLS + 1) for part in range(_KILLS + 2)]
    interrupted = 0
    for begin, end in pairwise(bounds):
        asyncio.run(produce(deployment, records(deployment, acts[begin:end])))
        one.start()
        if end < _EVENTS:
            wait_applied(deployment, (begin + end) // 2)
            one.kill()
            interrupted += total(deployment, "u", "applied") < end
    # A worker that works off a part between two polls is killed while idle; not six times over.
    assert interrupted
    exact(deployment, acts)
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert (status["applied_events"], status["lag_events"]) == (_EVENTS, 0)
