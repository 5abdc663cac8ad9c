"""The common part of the scenarios of one call: options, CPUs, seeds and progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.bench_env import BenchEnv, open_bench_env
from loadtest.bench.cpus import available_cpus, divide
from loadtest.bench.shop import Shop
from loadtest.bench.source import Source, given, made_up
from streamapp.cli.terminal.console import Step


@dataclass(slots=True)
class Bench:
    """One call of the benchmark.

    Attributes:
        begin: Begins a step of the progress bar.
        files: Event logs; none for a made-up shop.
        events: Events of a made-up shop.
        seed: Seed of all made-up data.
        repeats: Runs of a case; the median counts.
        slow_events: First events of the log that slow competitors work on.
        events_per_record: Events of one Kafka record.
        partitions: Partitions of every topic.
        partition_counts: Partitions of every topic in the runs of `partitions`.
        freshness_s: How old a list of a periodic rebuild may be.
        duration_s: How long load is kept up at a rate.
        rates: Events a second of `latency` and `hot`, as shares of what `throughput` measured,
            or absolute where over 1.
        everyday_rates: Those of `everyday`, in the same form.
        soak_rates: Those of `soak`, in the same form.
        soak_s: How long `soak` keeps up load at a rate.
        clients: Readers at once.
        sizes: Items and users of the shops of `growth`.
        depths: History depths of `throughput` and `growth`.
        hot_partners: Partners of the hot item.
        own_servers: Whether to start embedded servers.
        timeout_s: How long a run may take.
        full_rate: The rate that `throughput` measured in this call, events a second.
    """

    begin: Callable[[str], Step]
    files: list[Path] = field(default_factory=list)
    events: int = 400_000
    seed: int = 1
    repeats: int = 5
    slow_events: int = 5_000
    events_per_record: int = 1
    partitions: int = 4
    partition_counts: tuple[int, ...] = (1, 4, 16, 64, 256)
    freshness_s: float = 0.5
    duration_s: float = 20.0
    rates: tuple[float, ...] = (0.25, 0.8)
    everyday_rates: tuple[float, ...] = (5.0, 50.0, 300.0, 1500.0)
    soak_rates: tuple[float, ...] = (1500.0,)
    soak_s: float = 3600.0
    clients: int = 32
    sizes: tuple[tuple[int, int], ...] = ((10_000, 10_000), (100_000, 100_000))
    depths: tuple[int, ...] = (4, 20, 100)
    hot_partners: int = 100_000
    own_servers: bool = True
    timeout_s: float = 900.0
    full_rate: float | None = None

    @contextmanager
    def env(self, measured: int = 1, /, **settings: str) -> Iterator[BenchEnv]:
        """Yield an environment with CPUs for `measured` processes; `settings` are for all runs."""
        common = {"partitions": str(self.partitions), **settings}
        if self.events_per_record > 1:
            common["key_mismatch"] = "accept"
        cpus = divide(available_cpus(), measured)
        with open_bench_env(cpus, own_servers=self.own_servers, common=common) as env:
            yield env

    def source(self, folder: Path) -> Source:
        """Return the given log, or else a shop of sessions of a few events."""
        if self.files:
            return given(self.files)
        self.begin("making a shop")
        return made_up(self.shop(self.events), folder)

    def shop(self, events: int, events_per_user: int = 4) -> Shop:
        """Return a shop of 5,000 items."""
        users = max(1, events // events_per_user)
        return Shop(events, users, items=5_000, seed=self.seed)
