"""The benchmark: its pure parts, and the rivals' arithmetic against the oracle."""

import subprocess
import sys
import time
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from loadtest.__main__ import bench
from loadtest.bench.bench import Bench
from loadtest.bench.command import SCENARIOS, chosen, counts_of, rates_of, run_scenarios, sizes_of
from loadtest.bench.cpus import Cpus, Use, available_cpus, divide, kept_to
from loadtest.bench.distribution import Distribution
from loadtest.bench.footprint import CLASSES, key_class
from loadtest.bench.hot import HOT, traffic
from loadtest.bench.load import Due, Schedule, background, kept, merged
from loadtest.bench.partitions import show
from loadtest.bench.probes import spread
from loadtest.bench.rates import named_rates
from loadtest.bench.recovery import recovery
from loadtest.bench.report import as_html, caveat
from loadtest.bench.result import Plot, Result, Table, as_json, medians
from loadtest.bench.rivals.counting import HISTORY_CAP, History, apply, ranked
from loadtest.bench.shop import Shop
from loadtest.bench.sighting import Sightings
from loadtest.bench.source import write_log
from loadtest.bench.throughput import rebuilding_s
from loadtest.bench.watch import Sample, span
from loadtest.replay import bundled
from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, histories_tag, intake_tag, rows_tag
from streamapp.transport.producer import Outgoing
from tests.support.oracle import Act, gram, lists


def event(user: str = "u", item: str = "a") -> LoggedEvent:
    """Return a click."""
    return LoggedEvent(user, item, "click", 1.0)


def test_what_is_measured_has_a_cpu_of_its_own_where_there_are_enough() -> None:
    """The last CPUs are for the measured processes; with too few, none are kept apart."""
    assert divide({0, 1, 2, 3}, 2) == Cpus((2, 3), (0, 1))
    assert divide({0, 1}, 2) == Cpus((0, 1), (0, 1))
    assert divide({0, 1, 2, 3}, 2).of(3) == (3,)
    assert divide({0, 1}, 2).of(1) == (0, 1)


def test_a_cpu_is_busy_while_somebody_works_there() -> None:
    """Any process counts; each side has its own share."""
    first, *others = sorted(available_cpus())
    use = Use(Cpus((first,), tuple(others) or (first,)))
    with kept_to((first,)):
        until = time.process_time() + 0.3
        while time.process_time() < until:
            pass
    busy = use.shares()
    assert busy["measured"] > 0.8
    assert 0 <= busy["rest"] <= 1


def test_a_shop_is_the_same_for_the_same_seed() -> None:
    """And its most popular item is about twice as popular as the second, as Zipf's law says."""
    shop = Shop(20_000, 500, 100, seed=3)
    assert list(shop) == list(Shop(20_000, 500, 100, seed=3))
    assert list(shop) != list(Shop(20_000, 500, 100, seed=4))
    counts = Counter(one.item_id for one in shop)
    assert counts["sku-0"] / counts["sku-1"] == pytest.approx(2, rel=0.15)
    assert all((before.ts or 0) < (after.ts or 0) for before, after in pairwise(shop))


@pytest.mark.parametrize(("depth", "users"), [(4, 25_000), (20, 5_000), (100, 1_000)])
def test_users_of_a_deep_shop_have_as_many_events_as_its_depth(depth: int, users: int) -> None:
    """On average; a shop has four events a user otherwise."""
    options = Bench(lambda _: lambda _done, _total: None)
    assert options.shop(100_000, depth).users == users
    assert options.shop(100_000).users == 25_000


def test_every_tenth_event_is_on_the_hot_item() -> None:
    """By a user who was on one of its partners, and never on an item of the shop."""
    events = list(traffic(Shop(1_000, 50, 20), partners=7))
    fans = {one.user_id for one in events if one.item_id == HOT}
    assert len(fans) == 100
    beside = {one.item_id for one in events if one.user_id in fans} - {HOT}
    assert beside <= {f"partner-{number}" for number in range(7)}


def test_rivals_count_as_the_truth_does() -> None:
    """Dots, sums of squares and lists, with repeats, several types and full histories."""
    shop = Shop(2_500, 6, 180, exponent=0.3, seed=5)
    weights = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
    acts = [Act(one.user_id, one.item_id, weights[one.type or ""], one.ts or 0) for one in shop]
    histories: dict[str, History] = {}
    dots: Counter[tuple[str, str]] = Counter()
    for one in shop:
        history = histories.setdefault(one.user_id, {})
        for item, other, change in apply(history, one._asdict(), weights):
            dots[item, other] += change
    items, truth, _ = gram(acts, HISTORY_CAP)
    assert max(len(history) for history in histories.values()) == HISTORY_CAP
    assert {pair: dot for pair, dot in dots.items() if dot} == {
        (items[row], items[column]): truth[row, column]
        for row, column in zip(*truth.nonzero(), strict=True)
    }
    sums = {item: float(dots[item, item]) for item in items}
    expected = lists(acts, HISTORY_CAP, top_n=20)["sku-3"]
    row = {other: dot for (item, other), dot in dots.items() if item == "sku-3" and other != item}
    found = ranked(row, sums["sku-3"], sums)
    assert [one["score"] for one in found] == pytest.approx([score for _, score, _ in expected])


def test_an_item_that_nobody_has_any_more_has_an_empty_list() -> None:
    """Its dots may be a moment old; another item without users is left out."""
    assert ranked({"b": 1, "c": 1}, 0.0, {"b": 1.0, "c": 1.0}) == []
    assert [one["id"] for one in ranked({"b": 1, "c": 1}, 1.0, {"b": 0.0, "c": 1.0})] == ["c"]


def test_rebuilding_adds_up() -> None:
    """At 10, 20, 25 events, where a rebuild takes 0.1 s for each ten, and at the end."""
    assert rebuilding_s([(5, 0.05), (25, 0.25)], 10) == pytest.approx(0.1 + 0.2 + 0.25)


def test_a_run_lasts_from_the_last_still_sample_to_the_first_settled_one() -> None:
    """Time before the first record does not count, nor does waiting for the verdict."""
    moves = [(0, False), (0, False), (5, True), (9, True), (9, False), (9, False), (9, False)]
    samples = [
        Sample(float(at), (position,), position, pending, 0.0, 0)
        for at, (position, pending) in enumerate(moves)
    ]
    begin, end = span(samples)
    assert (begin.at_s, end.at_s) == (1.0, 4.0)


def moved(*positions: tuple[int, ...]) -> list[Sample]:
    """Return a sample for each tenth of a second."""
    return [
        Sample(at / 10, some, applied=0, pending=False, cpu_s=0.0, rss_bytes=0)
        for at, some in enumerate(positions)
    ]


def test_a_partition_works_again_when_its_last_standstill_is_over() -> None:
    """One works on for a while, stands still from 3.5 to 5.5, and catches up."""
    steady = range(100)
    halted = [min(at, 35) if at < 55 else at for at in steady]
    found = recovery(moved(*zip(steady, halted, strict=True)), 0.0, 3.0, 9.0, [30, 30])
    assert found.works_s == pytest.approx(2.5)
    assert found.longest_s == pytest.approx(2.0)
    assert found.median_s == pytest.approx((2.0 + 0.1) / 2)
    assert found.before_s == pytest.approx(0.1)
    assert (found.stopped, found.stuck) == (1, 0)


def test_a_partition_works_again_when_it_has_applied_a_newer_record() -> None:
    """Earlier records do not count; a partition without newer ones has to do none."""
    steady = range(100)
    samples = moved(*((at, at) for at in steady))
    assert recovery(samples, 0.0, 3.0, 9.0, [30, 47]).works_s == pytest.approx(1.8)
    assert recovery(samples, 0.0, 3.0, 9.0, [None, None]).works_s == 0


def test_a_pause_that_was_usual_before_is_no_standstill() -> None:
    """A partition that moves once in 0.4 s may pause for 0.8 s."""
    samples = moved(*((at // 4 if at < 40 else at // 8,) for at in range(100)))
    found = recovery(samples, 0.0, 5.0, 9.0, [None])
    assert found.before_s == pytest.approx(0.8)
    assert (found.stopped, found.works_s) == (0, 0)


@pytest.mark.parametrize("first", [40, 1_000])
def test_a_partition_that_stands_still_at_the_end_is_stuck(first: int) -> None:
    """Or one that never got to the newer records; neither says how long a change takes."""
    last = 45 if first == 40 else 100
    found = recovery(moved(*((min(at, last),) for at in range(100))), 0.0, 3.0, 9.0, [first])
    assert found.stuck == 1


def test_medians_are_of_each_figure() -> None:
    """And all runs are kept; what is no figure has no median."""
    runs: list[dict[str, Any]] = [{"cost": n, "size": 10 - n, "keys": {}} for n in (3, 1, 2)]
    assert medians(runs) == {"cost": 2, "size": 8, "runs": runs}


def drained(cost: float) -> dict[str, float]:
    """Return the figures of a case of `partitions`."""
    names = "peak_rss_bytes redis_bytes internal_messages_per_event internal_bytes_per_event"
    names += " redis_cpu_us_per_event idle_cpu_share idle_rss_bytes idle_commands_per_s connections"
    return {"cpu_us_per_event": cost, **dict.fromkeys(names.split(), 1e6)}


@pytest.mark.parametrize(("counts", "base"), [((1, 4, 16), 4), ((16, 8), 16)])
def test_costs_are_compared_with_those_of_four_partitions(
    counts: tuple[int, ...], base: int
) -> None:
    """Or with those of the first number."""
    result = Result("partitions", [dict(drained(count / 2)) for count in counts])
    show(result, Bench(lambda _: lambda _done, _total: None, partition_counts=counts))
    assert [case["of_base"] for case in result.cases] == [count / base for count in counts]
    drain, idle = result.tables
    assert drain.columns[2] == f"of {base}'s"
    assert [row[:3] for row in drain.rows] == [(n, n / 2, n / base) for n in counts]
    assert {row[3:5] for row in drain.rows} == {(1e6, 1)}
    assert len(drain.columns) == len(drain.rows[0])
    assert len(idle.columns) == len(idle.rows[0])


def test_percentiles_are_those_of_what_was_recorded() -> None:
    """To three digits, in milliseconds; a load is on schedule while few of its events are late."""
    found = Distribution(number / 1000 for number in range(1, 1001))
    assert found.count == 1000
    assert found.percentile_ms(50) == pytest.approx(500, rel=1e-3)
    assert found.as_dict()["p99_ms"] == pytest.approx(990, rel=1e-3)
    x, y = found.curve()
    assert x[-1] == pytest.approx(1000)
    assert y == sorted(y)
    assert Distribution().as_dict()["p99_ms"] == 0
    assert not kept(found)
    assert kept(Distribution([0.001] * 1000 + [3.0] * 5))


def test_probes_and_load_go_out_in_the_order_in_which_they_are_due() -> None:
    """Probes are due at moments of their own, each after its user's first event."""
    probes = spread("p", count=4, from_s=2, every_s=1, beside="x", shared=False, seed=1)
    load = [Due(number / 2, event()) for number in range(10)]
    schedule = [Due(at_s, LoggedEvent(*event)) for at_s, event in probes.schedule]
    sent = [due.at_s for due in merged(iter(load), schedule)]
    assert sent == sorted(sent)
    assert len(sent) == 10 + 8
    assert all(2 + n <= at_s < 3 + n for n, at_s in enumerate(probes.due_s.values()))


def test_a_log_that_is_over_begins_again_with_other_users(tmp_path: Path) -> None:
    """Otherwise later probes would be measured without any load."""
    log = tmp_path / "log.csv"
    write_log(log, [event("u"), event("v"), event("w")._replace(order_id="o")])
    sent = list(background({"rate": 2.0, "duration_s": 4.0, "files": [str(log)]}))
    assert [due.at_s for due in sent] == [place / 2 for place in range(8)]
    users = ["u", "v", "w", "u~1", "v~1", "w~1", "u~2", "v~2"]
    assert [due.event.user_id for due in sent] == users
    assert {due.event.item_id for due in sent} == {"a"}
    assert [sent[2].event.order_id, sent[5].event.order_id] == ["o", "o~1"]

    write_log(log, [])
    assert not list(background({"rate": 2.0, "duration_s": 4.0, "files": [str(log)]}))
    assert not list(background({"rate": 0.0, "duration_s": 4.0, "files": [str(log)]}))


def test_a_schedule_that_is_too_long_for_memory_is_made_while_it_is_sent(tmp_path: Path) -> None:
    """It is the same each time, as the log of what was sent needs; a short one is made before."""
    log = tmp_path / "log.csv"
    write_log(log, [event("u"), event("v")])
    probes = [(0.75, ("p", "x", "click", None))]
    spec = {"rate": 2.0, "duration_s": 2.0, "files": [str(log)], "probes": probes}
    made = Schedule(spec, 4).ahead()
    assert isinstance(made, list)
    assert [due.at_s for due in made] == [0, 0.5, 0.75, 1, 1.5]
    assert {due.key: due.partition for due in made}.keys() == {b"u", b"v", b"p", b"u~1", b"v~1"}
    assert all(0 <= due.partition < 4 for due in made)
    long = Schedule({**spec, "duration_s": 3e6}, 4).ahead()
    for _ in range(2):
        assert list(islice(long, 5))[:4] == made[:4]
    assert not isinstance(long, list)


def test_a_probe_is_seen_once_when_its_item_has_a_list() -> None:
    """A probe that is not due is not looked for; a seen probe is not looked for again."""
    sightings = Sightings({"a": 1.0, "b": 5.0}, "")
    assert sightings.wanted(2.0) == ["a"]
    sightings.look("a", None, 2.0)
    sightings.look("a", b"{}", 2.5)
    sightings.look("a", b"{}", 3.0)
    assert sightings.took_s == [1.5]
    assert sightings.wanted(2.0) == []
    assert sightings.as_dict()["missing"] == 1


def test_a_probe_is_seen_when_the_shared_list_names_it() -> None:
    """One list is read for all of them."""
    sightings = Sightings({"a": 1.0, "b": 1.5}, "hot")
    assert sightings.wanted(2.0) == ["hot"]
    sightings.look("a", b'{"items":[]}', 2.0)
    sightings.look("hot", b'{"items":[{"id":"b"},{"id":"z"}]}', 2.0)
    assert sightings.took_s == [0.5]
    sightings.look("hot", b'{"items":[{"id":"a"}]}', 3.0)
    assert sightings.done


def test_newer_probes_sort_before_older_ones() -> None:
    """Equal scores are in the order of ids, so the newest is never cut off."""
    probes = spread("p", count=1000, from_s=1, every_s=1, beside="hot", shared=True, seed=1)
    assert list(probes.due_s) == sorted(probes.due_s, reverse=True)
    assert max(probes.due_s) < "0"


@pytest.mark.parametrize(
    ("tag", "name", "expected"),
    [
        (histories_tag(3), "b:u1", "histories"),
        (rows_tag(7), "b:12", "rows"),
        (rows_tag(7), "items", "items"),
        (rows_tag(7), "norms", "norms"),
        (rows_tag(7), "norms:a", "norm feeds"),
        (rows_tag(7), "availability", "availability"),
        (rows_tag(0), "tops", "categories"),
        (rows_tag(0), "content", "content neighbours"),
        (catalogue_tag(1), "b:sku-9", "products"),
        (intake_tag("clicks", 0), "head", "heads"),
    ],
)
def test_a_key_has_a_class(tag: str, name: str, expected: str) -> None:
    """By the layout of the state."""
    assert key_class(f"{SlotKeys('s:', tag).prefix}{{{tag}}}:{name}", "l:", "s:") == expected


def test_no_class_has_two_columns() -> None:
    """Several keys may be of one class."""
    assert len(CLASSES) == len(set(CLASSES))


def test_a_list_and_a_stranger_have_classes_too() -> None:
    """Other keys than those of the app are counted apart."""
    assert key_class("l:item:a", "l:", "s:") == "lists"
    assert key_class("x", "l:", "s:") == "other"


def test_bundled_events_keep_their_order() -> None:
    """Three events in records of two."""
    records = bundled([Outgoing(b"1", b"u"), Outgoing(b"2", b"u"), Outgoing(b"3", b"v")], 2)
    assert [(record.value, record.key) for record in records] == [(b"[1,2]", None), (b"[3]", None)]


def test_a_report_holds_everything_and_asks_for_nothing() -> None:
    """No script, no link, no image from elsewhere; an invalid run says so."""
    result = Result(
        "throughput",
        cases=[{"id": "throughput/x", "events_per_s": 5.0}],
        tables=[Table("A <table>", ("case", "events/s"), [("x", 12345)])],
        plots=[Plot("P", "x", "y", {"one": ([1, 2], [3, 4]), "two": ([1, 2], [1, 2])})],
        faults=["late"],
    )
    page = as_html([result], {"options": {"seed": 1}})
    for expected in (caveat()[:40], "12,345", "A &lt;table&gt;", "<svg", "invalid: late"):
        assert expected in page
    assert not any(word in page for word in ("<script", "<link", "src=", "@import"))
    assert b'"valid": false' in as_json([result], {})


def test_the_report_begins_with_what_numbers_cannot_tell() -> None:
    """The report repeats the beginning of the README, without its title and its sections."""
    assert caveat().startswith("These numbers cannot say how fast the app is on your machines")
    assert "share the cores of one machine" in caveat()
    assert "#" not in caveat()


def test_options_that_cannot_be_are_refused() -> None:
    """With the allowed values."""
    assert rates_of("0.25,5000") == (0.25, 5000)
    assert sizes_of("10x20,5x6") == ((10, 20), (5, 6))
    for text in ("", "x", "0", "-1", "inf"):
        with pytest.raises(ConfigError, match="--rates"):
            rates_of(text)
    for text in ("", "10", "10x", "0x5", "10x20x3"):
        with pytest.raises(ConfigError, match="--sizes"):
            sizes_of(text)
    assert counts_of("64,4,64", "--partition-counts", 1024) == (64, 4)
    for text in ("", "x", "0", "4,-1", "4,", "1.5", "2000"):
        with pytest.raises(
            ConfigError, match=f"--partition-counts {text}: numbers from 1 to 1,024"
        ):
            counts_of(text, "--partition-counts", 1024)


def test_scenarios_keep_their_names_and_their_order() -> None:
    """Later ones use results of earlier ones, and the help names them all."""
    names = "throughput latency readers growth flat hot scale partitions workers everyday soak"
    assert list(SCENARIOS) == names.split()
    assert names in (bench.__doc__ or "")


def test_what_takes_an_hour_runs_only_if_it_is_named() -> None:
    """All others run if none is named; the order is theirs, whatever the call says."""
    assert chosen([]) == [name for name in SCENARIOS if name != "soak"]
    assert chosen(["soak", "flat"]) == ["flat", "soak"]


@pytest.mark.parametrize(
    ("given", "rates", "everyday", "soak", "seconds"),
    [
        ({}, (0.25, 0.8), (5, 50, 300, 1500), (1500,), (20, 3600)),
        ({"rates": "7,0.5"}, (7, 0.5), (7, 0.5), (7, 0.5), (20, 3600)),
        ({"duration": 60.0}, (0.25, 0.8), (5, 50, 300, 1500), (1500,), (60, 60)),
    ],
)
def test_rates_and_duration_have_a_default_for_each_scenario(
    given: dict[str, Any],
    rates: tuple[float, ...],
    everyday: tuple[float, ...],
    soak: tuple[float, ...],
    seconds: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is given counts for all of them; the defaults are those of `Bench`."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "loadtest.bench.command.run_scenarios", lambda _, options, *_files: asked.update(options)
    )
    bench(**given)
    made = Bench(lambda _: lambda _done, _total: None, **asked)
    assert (made.rates, made.everyday_rates, made.soak_rates) == (rates, everyday, soak)
    assert (made.duration_s, made.soak_s) == seconds
    if not given:
        fresh = Bench(lambda _: lambda _done, _total: None)
        for name in ("rates", "everyday_rates", "soak_rates", "duration_s", "soak_s"):
            assert getattr(fresh, name) == getattr(made, name)


def test_a_rate_up_to_one_is_a_share_of_the_full_rate() -> None:
    """The name of its case says so."""
    options = Bench(lambda _: lambda _done, _total: None, full_rate=8_000.0)
    assert list(named_rates(options, (5, 0.25))) == [("rate5", 5), ("share25", 2_000)]


@pytest.mark.parametrize(
    "arguments",
    [["no-such"], ["--rates", "x"], ["--servers", "mine"], ["--log", "no.csv"],
     ["--partition-counts", "0"], ["--depths", "x"],
     ["flat", "--json", "."], ["flat", "--html", "no-such/report.html"]],
)  # fmt: skip
def test_a_wrong_call_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    """No server is started for it."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "bench", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_rival_that_is_not_installed_is_missed_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the contest alone: other scenarios begin their log."""
    monkeypatch.setattr("loadtest.bench.contest.find_spec", lambda _: None)
    options = {"files": [Path("no.csv")]}
    for names in ([], ["flat", "throughput"]):
        with pytest.raises(ConfigError, match="quixstreams: run `make bench`"):
            run_scenarios(names, options, None, None)
    with pytest.raises(ConfigError, match=r"no\.csv: "):
        run_scenarios(["flat", "latency"], options, None, None)
