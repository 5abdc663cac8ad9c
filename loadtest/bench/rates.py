"""Rates: those that were asked for, in events a second, by the names of their cases."""

from collections.abc import Iterable, Iterator

from loadtest.bench.bench import Bench
from loadtest.bench.throughput import measured_rate


def named_rates(bench: Bench, asked: Iterable[float]) -> Iterator[tuple[str, float]]:
    """Yield the name and the events a second of each rate.

    A rate up to 1 is a share of what `throughput` measured, or what one run measures now.
    """
    for one in asked:
        if one > 1:
            yield f"rate{one:g}", one
        else:
            yield f"share{round(one * 100)}", one * measured_rate(bench)
