"""The scenarios `everyday` and `soak`: their pure parts."""

import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.bench import everyday, meter
from loadtest.bench.meter import Reading, used
from loadtest.bench.report import as_html
from loadtest.bench.result import Result
from loadtest.bench.soak import show, trends_of, verdict
from loadtest.bench.soak_sample import SoakSample, sampled
from loadtest.bench.steady import USERS, logs_of, steady_shop
from loadtest.bench.trend import calm_s, trend
from streamapp.eventlog import read_log

_HOUR_S = 3600.0


def test_the_steady_shop_is_that_of_everyday_rates() -> None:
    """Users are uniform, item n or a lower one has a chance of sqrt((n + 1) / 3,000)."""
    shop = steady_shop(200_000, seed=3)
    events = list(shop)
    assert events == list(steady_shop(200_000, seed=3))
    assert events != list(steady_shop(200_000, seed=4))
    assert all((before.ts or 0) < (after.ts or 0) for before, after in pairwise(events))

    types = Counter(one.type for one in events)
    assert types.keys() == {"click", "purchase"}
    assert types["purchase"] / len(events) == pytest.approx(0.1, rel=0.03)
    users = Counter(one.user_id for one in events)
    assert len(users) == USERS
    # Uniform counts have the variance of a Poisson distribution.
    assert np.var(list(users.values())) == pytest.approx(len(events) / USERS, rel=0.15)
    numbers = np.array([int(one.item_id.removeprefix("sku-")) for one in events])
    assert (numbers.min(), numbers.max()) == (0, 2_999)
    for first in (30, 750, 2_000):
        assert np.mean(numbers < first) == pytest.approx((first / 3_000) ** 0.5, rel=0.02)


def test_the_logs_of_a_shop_follow_one_another(tmp_path: Path) -> None:
    """What was sent before is not sent again."""
    shop = steady_shop(50, seed=1)
    logs = logs_of(shop, tmp_path, {"past": 30, "load": 20})
    assert [source.events for source in logs.values()] == [30, 20]
    files = [file for source in logs.values() for file in source.files]
    assert list(read_log(files)) == list(shop)


def test_what_was_used_is_the_difference_of_two_readings() -> None:
    """For each event that was due in between; commands that were not called are left out."""
    before = Reading(100.0, 7.0, {"hmget": 10, "ping": 3}, input_bytes=1_000, lists=50)
    after = Reading(110.0, 9.0, {"hmget": 60, "ping": 3, "set": 20}, input_bytes=6_000, lists=300)
    found = used(before, after, rate=5.0)
    assert found["cpu_share"] == pytest.approx(0.2)
    assert found["cpu_us_per_event"] == pytest.approx(40_000)
    assert found["lists_per_event"] == pytest.approx(5)
    assert found["redis_commands"] == {"hmget": 5, "set": 2}
    assert found["redis_commands_per_s"] == pytest.approx(7)
    assert found["redis_input_bytes_per_event"] == pytest.approx(100)


class Server:
    """A Redis whose memory grows by 10 bytes with each question for it."""

    def __init__(self) -> None:
        self.bytes = 1_000

    def info(self, section: str) -> dict[str, Any]:
        """Return one section."""
        if section == "memory":
            self.bytes += 10
            return {"used_memory": self.bytes}
        if section == "stats":
            return {"total_net_input_bytes": 77}
        return {"cmdstat_hmget": {"calls": 4}, "cmdstat_info": {"calls": 9}}


class Worker:
    """A process that uses a second of CPU between two looks."""

    def __init__(self) -> None:
        self.used_s = 0.0

    def check(self) -> None:
        """Be alive."""

    def cpu_s(self) -> float:
        """Return the CPU seconds used."""
        self.used_s += 1
        return self.used_s

    def rss_bytes(self) -> int:
        """Return its memory."""
        return 500

    def fds(self) -> int:
        """Return its open files."""
        return 12

    def threads(self) -> int:
        """Return its threads."""
        return 4


def test_a_reading_leaves_out_the_calls_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks Redis for its counters, and Kafka for the end of the output topic."""
    monkeypatch.setattr(meter, "published", lambda _: 300)
    found = meter.read_meter(None, Server(), Worker())  # type: ignore[arg-type]
    assert (found.cpu_s, found.calls) == (1, {"hmget": 4})
    assert (found.input_bytes, found.lists) == (77, 300)


def test_samples_are_evenly_spaced_up_to_the_end() -> None:
    """A short run has 24 of them, and progress is told in seconds."""
    told: list[tuple[int, int | None]] = []
    start_s = time.monotonic()
    found = sampled(
        Server(), Worker(), start_s, 0.48,  # type: ignore[arg-type]
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert all(sample.at_s >= 0.02 * number for number, sample in enumerate(found, 1))
    assert [sample.redis_bytes for sample in found] == [1_010 + 10 * n for n in range(24)]
    assert all(sample.cpu_share > 1 for sample in found)
    assert {(sample.rss_bytes, sample.fds, sample.threads) for sample in found} == {(500, 12, 4)}
    assert told == [(0, 0)] * 24


@pytest.mark.parametrize(("duration_s", "expected"), [(3_600, 600), (7_200, 600), (60, 10)])
def test_a_run_is_calm_for_ten_minutes_or_a_sixth(duration_s: float, expected: float) -> None:
    """A shorter run has a shorter calm."""
    assert calm_s(duration_s) == expected


def test_a_trend_is_what_a_figure_gains_after_the_calm() -> None:
    """What it gained before does not count; a single high sample does not either."""
    at_s = [10.0 * number for number in range(1, 361)]
    figures = [min(at, 600.0) * 100 + 2 * max(0.0, at - 600.0) for at in at_s]
    found = trend(at_s, figures, _HOUR_S)
    assert found.slope_per_h == pytest.approx(2 * _HOUR_S)
    assert found.calm == pytest.approx(60_000 + 2 * 30)
    assert found.end == pytest.approx(60_000 + 2 * (3_000 - 30))
    assert found.growth == pytest.approx(found.end / found.calm - 1)

    figures[-1] = 1e9
    assert trend(at_s, figures, _HOUR_S).end == pytest.approx(found.end, rel=1e-3)


def test_a_trend_of_nothing_is_flat() -> None:
    """A figure of zero does not grow by a share."""
    found = trend([float(at) for at in range(1, 25)], [0.0] * 24, 24.0)
    assert (found.calm, found.end, found.growth) == (0, 0, 0)
    assert found.slope_per_h == pytest.approx(0)


def samples(rss: float = 1.0, fds: int = 0, threads: int = 0) -> list[SoakSample]:
    """Return samples of an hour; after half of it, figures are larger by these."""
    return [
        SoakSample(
            at_s=10.0 * number,
            rss_bytes=round(300e6 * (rss if number > 180 else 1)),
            redis_bytes=56_000_000,
            fds=40 + (fds if number > 180 else 0),
            threads=9 + (threads if number > 180 else 0),
            cpu_share=0.7,
        )
        for number in range(1, 361)
    ]


@pytest.mark.parametrize(
    ("grown", "said"),
    [
        (samples(), []),
        (samples(rss=1.09), []),
        (samples(rss=0.8, fds=-2, threads=-1), []),
        (samples(rss=1.1), ["RSS of the worker grew from 300 MB to 330 MB, by 10.0%"]),
        (samples(fds=1), ["file descriptors of the worker grew from 40 to 41"]),
        (samples(rss=1.5, threads=3), ["by 50.0%", "threads of the worker grew from 9 to 12"]),
    ],
)
def test_a_worker_may_not_grow(grown: list[SoakSample], said: list[str]) -> None:
    """By a tenth of its memory, or by a file or a thread."""
    faults = verdict("rate1500", trends_of(grown, _HOUR_S))
    assert len(faults) == len(said)
    assert all(part in fault for part, fault in zip(said, faults, strict=True))


def test_the_table_of_a_soak_shows_each_figure_at_two_moments() -> None:
    """With their difference; the plot has the memory of both processes over minutes."""
    result, grown = Result("soak"), samples(rss=1.5, threads=3)
    show(result, 1_500.0, _HOUR_S, grown, trends_of(grown, _HOUR_S))
    (table,) = result.tables
    assert table.columns[1:3] == ("after 600 s", "at the end")
    found = {row[0]: row[1:4] for row in table.rows}
    assert found["worker RSS, MB"] == (300, 450, 50)
    assert found["Redis memory, MB"] == (56, 56, 0)
    assert found["file descriptors"] == (40, 40, 0)
    assert found["threads"] == (9, 12, 33.3)
    assert found["% of a core"] == (70, 70, 0)
    (plot,) = result.plots
    assert plot.series.keys() == {"worker RSS", "Redis memory"}
    minutes, rss = plot.series["worker RSS"]
    assert (minutes[-1], rss[0], rss[-1]) == (60, 300, 450)


def case(rate: float, share: float) -> dict[str, Any]:
    """Return the case of a rate."""
    figures = ("cpu_us_per_event", "lists_per_event", "redis_commands_per_s")
    return {
        "rate": rate,
        "cpu_share": share,
        **dict.fromkeys((*figures, "redis_input_bytes_per_event"), 2_000.0),
        **dict.fromkeys(("key_p50_ms", "key_p99_ms"), 50.0),
        "cpus_busy": {"measured": 0.5, "rest": 0.25},
        "latency": {"key_watch": {"count": 20}},
    }


def test_the_table_of_everyday_rates_ends_with_the_drain() -> None:
    """Which has no rate, no latency and no commands; the plot rises with the rate."""
    drain = {"cpu_share": 0.99, "cpu_us_per_event": 18.4, "lists_per_event": 0.25}
    result = Result("everyday", [case(300.0, 0.4), case(5.0, 0.02), drain])
    everyday.show(result)
    (table,) = result.tables
    assert table.rows[0] == ("300", 40.0, 2_000, 2_000.0, 2_000, 2.0, 50, 50)
    assert table.rows[-1] == ("drain", 99.0, 18, 0.2, None, None, None, None)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    (plot,) = result.plots
    assert plot.series == {"one worker": ([5, 300], [2, 40])}
    assert "<td>-</td>" in as_html([result], {})
