"""Films: MovieLens 100K as a shop, read from the wheel of `recbole`, which contains it.

The wheel stays in a cache folder unchanged; two files are read from it and none is unpacked.
MovieLens has ratings, the app has clicks and purchases, so the types are derived.
"""

import csv
import io
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from demo.shop import Shop
from streamapp.eventlog import LoggedEvent

CACHE = Path(__file__).parents[1] / ".cache" / "demo"
"""The default cache folder of the wheel."""

_WHEEL = "recbole-1.2.1"
_FILES = "recbole/dataset_example/ml-100k/ml-100k"
_PIP = [
    sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
    "--disable-pip-version-check", "--only-binary", ":all:", "--retries", "1", "--timeout", "8",
]  # fmt: skip
_PIP_LIMIT_S = 25.0
_LIKED = 4.0

_SHOWN = ("50", "603", "418", "169")
"""Star Wars, Rear Window, Cinderella, The Wrong Trousers: each of another kind."""

_ARTICLE = re.compile(r"^([^(]+), (The|A|An|La|Le|Les|Il|Das|Der)(?= \(|$)")
"""MovieLens sorts by the first word: `Wrong Trousers, The`."""


class NoFilmsError(Exception):
    """The films are not available; the message says why."""


def film_shop(cache: Path) -> Shop:
    """Return the films; the network is used only if the cache folder lacks the wheel.

    Args:
        cache: Folder of the wheel; created if it is missing.

    Raises:
        NoFilmsError: the wheel is not available, or it is not as expected.
    """
    with _opened(cache) as archive:
        names = dict(_names(archive))
        events = sorted(_events(archive), key=lambda event: event.ts or 0.0)
    return Shop(
        "MovieLens 100K by GroupLens (Harper and Konstan, 2015), out of the wheel of recbole.\n"
        "It has ratings; the types are derived: 4 and 5 stars are a purchase, fewer are a click.",
        names,
        events,
        _SHOWN,
    )


def film_ratings(cache: Path) -> list[LoggedEvent]:
    """Return all ratings in the order of the file, which is that of GroupLens; types r1 to r5.

    Args:
        cache: As for `film_shop`.

    Raises:
        NoFilmsError: as for `film_shop`.
    """
    with _opened(cache) as archive:
        return [
            LoggedEvent(line["user_id"], line["item_id"], f"r{float(line['rating']):g}",
                        float(line["timestamp"]))
            for line in _table(archive, "inter")
        ]  # fmt: skip


@contextmanager
def _opened(cache: Path) -> Iterator[ZipFile]:
    wheel = next(cache.glob(f"{_WHEEL}-*.whl"), None) or _download(cache)
    try:
        with ZipFile(wheel) as archive:
            yield archive
    except (OSError, BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise NoFilmsError(f"{wheel} is not as expected, delete it: {error}") from None


def _download(cache: Path) -> Path:
    """Fetch the wheel with pip, which honours the mirrors and proxies of the machine.

    pip writes it to another folder and it is then moved, so a wheel in the cache is complete.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as folder:
            done = subprocess.run(  # noqa: S603 - the command is this program's own
                [*_PIP, "--dest", folder, _WHEEL.replace("-", "==")],
                env=os.environ | {"TMPDIR": folder},
                capture_output=True,
                text=True,
                timeout=_PIP_LIMIT_S,
                check=False,
            )
            wheel = next(Path(folder).glob(f"{_WHEEL}-*.whl"), None)
            if done.returncode or wheel is None:
                said = done.stderr.strip().splitlines() or ["no wheel came"]
                raise NoFilmsError(f"pip: {said[-1].removeprefix('ERROR: ')}")
            return wheel.replace(cache / wheel.name)
    except subprocess.TimeoutExpired:
        raise NoFilmsError(f"pip took more than {_PIP_LIMIT_S:g} s") from None
    except OSError as error:
        raise NoFilmsError(f"{cache} cannot be used: {error.strerror}") from None


def _table(archive: ZipFile, suffix: str) -> Iterator[dict[str, str]]:
    """Yield the lines of a file as dicts; a column is called `name:type`, its type is dropped."""
    with io.TextIOWrapper(archive.open(f"{_FILES}.{suffix}"), "utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = [name.partition(":")[0] for name in next(lines, [])]
        for line in lines:
            yield dict(zip(columns, line, strict=True))


def _names(archive: ZipFile) -> Iterator[tuple[str, str]]:
    for line in _table(archive, "item"):
        title = _ARTICLE.sub(r"\2 \1", line["movie_title"])
        yield line["item_id"], f"{title} ({line['release_year']})"


def _events(archive: ZipFile) -> Iterator[LoggedEvent]:
    for line in _table(archive, "inter"):
        kind = "purchase" if float(line["rating"]) >= _LIKED else "click"
        yield LoggedEvent(line["user_id"], line["item_id"], kind, float(line["timestamp"]))
