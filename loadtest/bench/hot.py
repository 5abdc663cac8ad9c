"""Scenario `hot`: one item with very many partners and a tenth of the traffic."""

from collections.abc import Iterator
from random import Random

from loadtest.bench.app_run import drain
from loadtest.bench.bench import Bench
from loadtest.bench.latency import PROBES_EACH_S, WARM_UP_S, show
from loadtest.bench.open_run import Load, open_run
from loadtest.bench.probes import spread
from loadtest.bench.rates import named_rates
from loadtest.bench.result import Result, Table
from loadtest.bench.shop import Shop
from loadtest.bench.source import Source, fill, write_log
from streamapp.eventlog import LoggedEvent

ID = "hot"
HOT = "hot"
_SHARE = 0.1
_PARTNERS_EACH = 4
_OPENED_S = 1_600_000_000.0


def run(bench: Bench) -> Result:
    """Make the item hot, then measure until it shows new neighbours, at each rate."""
    result, runs = Result(ID), {}
    for name, rate in named_rates(bench, bench.rates):
        duration_s = WARM_UP_S + bench.duration_s
        with bench.env() as env:
            env.make_topics(name)
            past, path = env.folder / "past.csv", env.folder / "traffic.csv"
            before = Source([past], write_log(past, _partners(bench.hot_partners)), {})
            fill(env, name, before, bench.events_per_record, bench.begin(f"{name}, partners"))
            step = bench.begin(f"{name}, making the item hot")
            made = drain(env, name, bench.timeout_s, step)
            events = round(rate * duration_s) + 1
            write_log(path, traffic(bench.shop(events), bench.hot_partners))
            probes = spread(
                "probe",
                count=round(bench.duration_s * PROBES_EACH_S),
                from_s=WARM_UP_S,
                every_s=1 / PROBES_EACH_S,
                beside=HOT,
                shared=True,
                seed=bench.seed,
            )
            bench.begin(f"{name}, {rate:,.0f} events a second")
            runs[name] = open_run(
                bench, env, name, Load(rate, duration_s, [path]), probes, list(before.files)
            )
            runs[name].figures["making_hot"] = made.as_dict()
    show(result, runs)
    result.tables.append(
        Table("The item", ("partners before", "share of traffic"), [(bench.hot_partners, _SHARE)])
    )
    result.notes.append(
        "a probe's user bought the hot item before; the probe shows when the hot item's own list "
        "names the new item, so every probe goes through the longest row there is"
    )
    return result


def _partners(count: int) -> Iterator[LoggedEvent]:
    """Yield users who click the hot item and a few items that no one else clicks."""
    for number in range(count):
        user, ts = f"fan-{number // _PARTNERS_EACH}", _OPENED_S + number / 100
        if number % _PARTNERS_EACH == 0:
            yield LoggedEvent(user, HOT, "click", ts)
        yield LoggedEvent(user, f"partner-{number}", "click", ts)


def traffic(shop: Shop, partners: int) -> Iterator[LoggedEvent]:
    """Yield the events of a shop, every tenth on the hot item instead, by a user new to it.

    That user was on one of the partners before, in place of another event of the shop. So no item
    of the shop gets close to the hot one, and probes stay at the head of its list.
    """
    chance = Random(shop.seed)  # noqa: S311 - which partner
    for place, event in enumerate(shop):
        user = f"visitor-{place // 10}"
        if place % 10 == 0:
            yield LoggedEvent(user, f"partner-{chance.randrange(partners)}", "click", event.ts)
        elif place % 10 == 5:
            yield LoggedEvent(user, HOT, "click", event.ts)
        else:
            yield event
