"""The schedule of chaos: a function of the seed, in which every fault happens at some time."""

from itertools import pairwise

import pytest

from streamapp.failpoints import EVERY_NAME, MERGE_NAMES
from tests.chaos.schedule import BACKENDS, BROKER, plan

_SEEDS = range(1, 61)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_seed_always_means_the_same(backend: str) -> None:
    """Any seed can be run again, and the first seeds differ."""
    plans = [plan(seed, backend, 120) for seed in _SEEDS]
    assert plans == [plan(seed, backend, 120) for seed in _SEEDS]
    assert len({one.faults for one in plans}) == len(plans)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_longer_run_begins_with_the_shorter_one(backend: str) -> None:
    """A fault of the first minute is also in a run of ten; only the end differs."""
    for seed in _SEEDS:
        short, long = plan(seed, backend, 60), plan(seed, backend, 600)
        begun = [fault for fault in long.faults if fault.at_s + fault.lasts_s <= 60]
        assert set(short.faults) <= set(begun)


def test_faults_of_one_track_never_overlap_and_end_within_the_run() -> None:
    """A server that is down is not restarted, and a dead worker is not paused."""
    for seed in _SEEDS:
        made = plan(seed, "kafka", 300)
        for track in made.tracks:
            faults = [fault for fault in made.faults if fault.track == track]
            assert all(one.at_s + one.lasts_s < two.at_s for one, two in pairwise(faults))
            assert all(fault.at_s + fault.lasts_s <= 300 for fault in faults)


def test_a_server_that_would_lose_its_data_is_not_restarted() -> None:
    """The embedded broker holds everything in memory: it may be silent and cut off."""
    kinds = {
        backend: {
            fault.kind
            for seed in _SEEDS
            for fault in plan(seed, backend, 300).faults
            if fault.track == BROKER
        }
        for backend in BACKENDS
    }
    assert kinds["kafka"] - kinds["embedded"] == {"restart"}


def test_sixty_seeds_kill_at_every_failpoint_and_choose_every_traffic() -> None:
    """No kind is left out."""
    plans = [plan(seed, "kafka", 120) for seed in _SEEDS]
    places = {fault.place.partition(":")[0] for one in plans for fault in one.faults}
    # Nobody is merged in these runs.
    assert places - {""} == set(EVERY_NAME) - set(MERGE_NAMES)
    assert {len(one.topics) for one in plans} == {1, 2}
    assert {one.static_members for one in plans} == {False, True}
    kinds = {(one.bought_together, one.bought_after_view) for one in plans}
    assert len(kinds) == 4
    assert {one.half_life_s > 0 for one in plans} == {False, True}
    assert {one.cluster for one in plans} == {False, True}
    texts = {(one.catalogue, one.content) for one in plans}
    assert texts == {(False, False), (True, False), (True, True)}
    assert all(one.history_cap < 90 for one in plans if len(one.topics) == 1)


def test_more_workers_and_partitions_change_no_fault_of_the_others() -> None:
    """A seed means the same in a larger shop."""
    small, large = plan(5, "kafka", 300), plan(5, "kafka", 300, workers=4, partitions=64)
    assert (large.partitions, large.workers[:3], len(large.workers)) == (64, small.workers, 4)
    assert [fault for fault in large.faults if fault.track != "worker-4"] == list(small.faults)
