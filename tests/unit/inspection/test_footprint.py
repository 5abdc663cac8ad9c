"""The footprint: how predicted memory follows the number of partitions."""

import random

import pytest

from streamapp.config.settings import Settings
from streamapp.inspection.footprint import KeyClass, Parts, Size, known_by_shard, predict
from streamapp.pipelines import main_pipeline

ITEMS = 600


def predicted(
    size: Size, count: int, known: float = 0.0, **settings: object
) -> dict[str, KeyClass]:
    """Return the prediction with so many partitions of every topic."""
    chosen = Settings(_env_file=None, **settings)  # type: ignore[arg-type]
    classes = predict(size, Parts(count, count, known), chosen, main_pipeline(chosen))
    return {one.name: one for one in classes}


@pytest.mark.parametrize("shards", [1, 4, 64])
@pytest.mark.parametrize("pairs", [0, 300, 5_000])
def test_a_shard_is_expected_to_know_what_it_does_on_average(shards: int, pairs: int) -> None:
    """Over random pairs: its own items and the others of their pairs; rather more than less."""
    chance = random.Random(pairs)  # noqa: S311 - pairs and shards
    drawn = [chance.sample(range(ITEMS), 2) for _ in range(pairs)]
    total = 0
    for _ in range(20):
        shard_of = [chance.randrange(shards) for _ in range(ITEMS)]
        has = {(shard_of[item], item) for item in range(ITEMS)}
        for one, other in drawn:
            has |= {(shard_of[one], other), (shard_of[other], one)}
        total += len(has)
    size = Size(users=1, items=ITEMS, pairs=pairs, history=1.0, id_bytes=8, live=0)
    assert 0.99 < known_by_shard(size, shards) * shards * 20 / total < 1.1


def test_more_partitions_take_more_memory_for_what_each_of_them_keeps() -> None:
    """And no more for histories, rows and lists, of which each is in one partition."""
    size = Size(users=50_000, items=20_000, pairs=400_000, history=8.0, id_bytes=12, live=50_000)
    few, many = predicted(size, 4), predicted(size, 64)
    for name in ("rows", "lists", "user lists", "audiences"):
        assert many[name].bytes == few[name].bytes
    for name in ("registries", "norms", "popularity", "norm feeds", "heads"):
        assert many[name].bytes > few[name].bytes
        assert many[name].keys == 16 * few[name].keys
    # No shard knows all items any more, so this is less than 16 times.
    assert few["norms"].bytes < many["norms"].bytes < 12 * few["norms"].bytes
    # Each head has an offset for each partition of its sources.
    assert many["heads"].bytes > 2 * 16 * few["heads"].bytes


def test_ids_stay_when_rows_go() -> None:
    """A shard that knows more items than expected keeps a norm of each."""
    size = Size(users=1_000, items=1_000, pairs=0, history=1.0, id_bytes=12, live=0)
    assert predicted(size, 8, known=900)["norms"].bytes > 4 * predicted(size, 8)["norms"].bytes


def test_with_a_catalogue_a_shard_knows_all_items() -> None:
    """It hears of the category of each, and has a head for each partition of the catalogue."""
    size = Size(users=1_000, items=9_000, pairs=0, history=1.0, id_bytes=12, live=0)
    without, with_one = predicted(size, 16), predicted(size, 16, catalogue_topic="catalogue")
    assert with_one["norms"].bytes > 8 * without["norms"].bytes
    assert with_one["heads"].keys == without["heads"].keys + 16


def test_no_state_has_a_size() -> None:
    """Heads are there before the first event, and nothing divides by zero."""
    found = predicted(Size(0, 0, 0, 0.0, 12, 0), 4)
    assert found["norms"].bytes == found["registries"].bytes == found["rows"].bytes == 0
    assert found["heads"].keys == 16


def test_lists_of_ids_are_kept_with_their_details_too() -> None:
    """Those of items, users and categories take two keys each; the copy has the longer key."""
    size = Size(users=90, items=900, pairs=9_000, history=8.0, id_bytes=12, live=90, categories=9)
    one, two = (
        predicted(size, 4, catalogue_topic="catalogue", list_details=details)
        for details in ("full", "ids")
    )
    for name in ("lists", "user lists", "category lists"):
        assert two[name].keys == 2 * one[name].keys
        assert 2 * one[name].bytes < two[name].bytes < 2.5 * one[name].bytes
    assert two["rows"] == one["rows"]
