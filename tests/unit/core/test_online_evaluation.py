"""Online evaluation of user lists: which events are tested, and what counts."""

import json
import time
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from streamapp.agents.histories.online_evaluation import OnlineEvaluation
from streamapp.config.settings import Settings
from streamapp.core.evaluation.online import HitStats, OnlineMetrics, Probe, UserSample
from streamapp.core.histories.history import ENTRY
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import (
    Admitted,
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.pipelines import main_pipeline

NOW = 1_700_000_000.0
ALL = UserSample(1.0, NOW - 60, NOW + 60)
SETTINGS = Settings(_env_file=None)


def clicks(registry: Registry, *said: tuple[str, str, float], now: float = NOW) -> Admitted:
    """Return clicks, (user, item, seconds after now), as histories admit them."""
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 0, len(said)))
    for offset, (user, item, after_s) in enumerate(said):
        builder.add(offset, user, item, "click", now + after_s)
    cut = decode_interactions(builder.encode("", 1)[0])
    return admit(cut, AppliedOffsets(), registry, {"click": 1.0})


def history(registry: Registry, *items: str) -> bytes:
    """Return a history that holds these items, packed."""
    return np.array([(number, 1.0, NOW) for number in registry.number(items)], ENTRY).tobytes()


def stored(*items: str, as_of: float = NOW - 100) -> bytes:
    """Return a list as frontends read it."""
    entries = [{"id": item, "score": 0.5, "reason": "similar", "because": "z"} for item in items]
    value = {"v": 1, "kind": "user", "id": "u", "seq": 1, "as_of": as_of, "items": entries}
    return json.dumps(value).encode()


def asked(
    registry: Registry, news: Admitted, histories: dict[str, bytes], sample: UserSample = ALL
) -> dict[str, str]:
    """Return the item of each user's test."""
    every = dict.fromkeys(news.users, b"") | histories
    questions = list(sample.probes(news, every, registry, ()))
    assert len({question.user for question in questions}) == len(questions)
    return {question.user: question.item for question in questions}


@pytest.mark.parametrize(
    ("item", "hits", "reciprocal"), [("a", 1, 1.0), ("c", 1, 1 / 3), ("elsewhere", 0, 0.0)]
)
def test_an_item_at_place_k_of_the_list_is_a_hit_that_adds_one_of_k(
    item: str, hits: int, reciprocal: float
) -> None:
    """A missing list entry is a miss: tested, without a hit."""
    served = OnlineMetrics()
    served.judge(Probe("u", item, NOW), stored("a", "b", "c"))
    assert served == OnlineMetrics(hits=hits, reciprocal_ranks=reciprocal, judged=1)


@pytest.mark.parametrize("content", [b"", b"what somebody else wrote", b"{}"])
def test_a_user_for_whom_no_list_stands_is_neither_hit_nor_miss(content: bytes) -> None:
    """An invalid list is no list: a figure does not stop a worker."""
    served = OnlineMetrics()
    served.judge(Probe("u", "a", NOW), content)
    assert served == OnlineMetrics(unserved=1)


@pytest.mark.parametrize(("as_of", "judged"), [(NOW - 0.01, 1), (NOW, 0), (NOW + 1, 0)])
def test_a_list_that_may_know_of_the_event_is_not_judged(as_of: float, judged: int) -> None:
    """It includes events up to its time, that time included."""
    served = OnlineMetrics()
    served.judge(Probe("u", "a", NOW), stored("a", as_of=as_of))
    assert (served.judged, served.hits, served.overtaken) == (judged, judged, 1 - judged)


def test_counters_are_read_back_to_the_last_bit() -> None:
    """From the fields of a head, among others; an older head has none of them."""
    served = OnlineMetrics(
        hits=3, reciprocal_ranks=0.1 + 0.2 + 1 / 7, judged=5, unserved=2, overtaken=1
    )
    assert OnlineMetrics.read({**served.stored(), "applied": b"9"}) == served
    assert OnlineMetrics.read({"applied": b"9"}) == OnlineMetrics()


def test_the_first_item_that_is_new_to_the_user_is_asked_about() -> None:
    """Not a seen item, and not the next new one: no newer list was served for it."""
    registry = Registry()
    news = clicks(registry, ("u", "seen", 0), ("u", "new", 1), ("v", "x", 2), ("u", "later", 3),
                  ("w", "seen", 4))  # fmt: skip
    histories = {user: history(registry, "seen", "too") for user in "uw"}
    assert asked(registry, news, histories) == {"u": "new", "v": "x"}


def test_events_that_are_not_recent_are_not_asked_about() -> None:
    """Neither those of a backlog, nor those of a tracker whose clock is ahead."""
    registry = Registry()
    news = clicks(registry, ("u", "old", -61), ("u", "recent", -59), ("v", "old", -1e6),
                  ("w", "ahead", 61))  # fmt: skip
    assert asked(registry, news, {}) == {"u": "recent"}
    backlog = clicks(registry, ("u", "old", -61), ("v", "old", -1e6))
    assert asked(registry, backlog, {}) == {}


def test_a_sample_is_a_share_of_users_and_always_the_same_ones() -> None:
    """A smaller sample is part of a larger one; 0 and 1 mean none and all."""
    registry = Registry()
    news = clicks(registry, *((f"user-{number}", "a", 0) for number in range(2_000)))
    of = {
        share: set(asked(registry, news, {}, ALL._replace(share=share)))
        for share in (0.0, 0.1, 0.5, 1.0)
    }
    assert of[0.0] < of[0.1] < of[0.5] < of[1.0]
    assert (len(of[0.0]), len(of[1.0])) == (0, 2_000)
    assert len(of[0.1]) == pytest.approx(200, abs=50)
    assert len(of[0.5]) == pytest.approx(1_000, abs=80)


def test_a_user_is_sampled_where_the_spread_checksum_is_below_the_share() -> None:
    """Workers of all versions test the same users; a share of 1 has the largest checksum too."""
    registry = Registry()
    for user in ("user-7", "user-8", "grüße"):
        spread = crc32(user.encode()) * 2_654_435_761 % 2**32
        for share, sampled in ((spread / 2**32, {}), ((spread + 1) / 2**32, {user: "a"})):
            sample = ALL._replace(share=share)
            assert asked(registry, clicks(registry, (user, "a", 0)), {}, sample) == sampled
    largest = "000000101100010000101100110001100000000000000000"
    assert crc32(largest.encode()) * 2_654_435_761 % 2**32 == 2**32 - 1
    assert asked(registry, clicks(registry, (largest, "a", 0)), {}) == {largest: "a"}


@pytest.mark.parametrize(("after_s", "sampled"), [(-61, 0), (-60, 1), (60, 1), (61, 0)])
def test_events_at_both_ends_of_the_time_are_asked_about(after_s: float, sampled: int) -> None:
    """Beyond them none is."""
    registry = Registry()
    assert len(asked(registry, clicks(registry, ("u", "a", after_s)), {})) == sampled


def test_rates_are_over_all_events() -> None:
    """Hits and misses alike."""
    assert HitStats(hits=3, reciprocal_ranks=1.5).rates(6) == {"hr": 0.5, "mrr": 0.25}


class Keys:
    """In place of the lists in Redis: counts its calls."""

    def __init__(self, **lists: bytes) -> None:
        self.lists = lists
        self.calls = 0

    async def get_many(self, kind: str, names: Sequence[str]) -> list[bytes]:
        """Return the lists of users."""
        assert kind == "user"
        self.calls += 1
        return [self.lists.get(name, b"") for name in names]


async def judged(
    keys: Keys, said: Iterable[Sequence[tuple[str, str, float]]], **chosen: Any
) -> OnlineMetrics:
    """Return the results of cuts of clicks of users without a history, with these settings."""
    settings = SETTINGS.model_copy(update={"judged_share": 1.0, **chosen})
    outside: Any = SimpleNamespace(settings=settings, pipeline=main_pipeline(settings), lists=keys)
    registry, served = Registry(), OnlineMetrics()
    cuts = [clicks(registry, *some, now=time.time()) for some in said]
    histories = {user: b"" for cut in cuts for user in cut.users}
    await OnlineEvaluation(outside).evaluate(cuts, histories, registry, served)
    return served


async def test_all_lists_of_a_batch_are_read_in_one_call() -> None:
    """Each user is tested on the first of all cuts, and hits, misses and unserved add up."""
    keys = Keys(u=stored("a", "b"), v=stored("a", "b"))
    served = await judged(
        keys, [[("u", "b", -3), ("v", "x", -3)], [("u", "a", -2), ("w", "a", -1)]]
    )
    assert served == OnlineMetrics(hits=1, reciprocal_ranks=0.5, judged=2, unserved=1)
    assert keys.calls == 1


@pytest.mark.parametrize("off", [{"judged_share": 0.0}, {"user_list_ttl": 0.0}])
async def test_what_is_off_costs_no_call(off: dict[str, float]) -> None:
    """So without user lists."""
    keys = Keys(u=stored("a"))
    assert await judged(keys, [[("u", "a", 0)]], **off) == OnlineMetrics()
    assert keys.calls == 0


async def test_a_backlog_costs_no_call() -> None:
    """A worker that catches up does not test lists that no user saw then."""
    keys = Keys(u=stored("a"))
    assert await judged(keys, [[("u", "a", -3_600)]]) == OnlineMetrics()
    assert await judged(keys, [[("u", "a", -3_600)]], judged_within=7_200.0) != OnlineMetrics()
    assert keys.calls == 1
