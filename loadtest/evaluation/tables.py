"""The table and the plot of an evaluation with all questions at one moment."""

from collections.abc import Mapping, Sequence

from loadtest.bench.result import Plot, Result, Table
from loadtest.evaluation.engine import Counts
from loadtest.evaluation.metrics import Questions, measure
from loadtest.evaluation.variant import POPULAR, Variant, spaced

_NAMES = {
    "hr": "HR",
    "mrr": "MRR",
    "ndcg": "nDCG",
    "precision": "P",
    "recall": "R",
    "map": "MAP",
    "coverage": "coverage",
    "popularity_bias": "popularity bias",
}
"""Of the metrics."""


def compared(
    protocol: str,
    shown: Sequence[str],
    counts: Counts,
    questions: Questions,
    variants: Mapping[str, Variant],
) -> Result:
    """Return the metrics of each variant, and those of the most popular items as a baseline.

    Args:
        protocol: Name of the result.
        shown: Metrics of the table; a program gets all.
        counts: The counts behind the lists.
        questions: At least one.
        variants: The rules of lists, by name; at least one, all of the same length.
    """
    first = next(iter(variants.values())).blend
    users = counts.norms.users
    lists = {POPULAR: counts.popular(questions.profiles, first)}
    lists |= {name: counts.lists(questions.profiles, one) for name, one in variants.items()}
    measured = {name: measure(some, questions, users) for name, some in lists.items()}
    asked, top_n = len(questions.relevant), first.top_n
    return Result(
        protocol,
        [{"id": f"{protocol}/{name}", "questions": asked, "top_n": top_n, **values}
         for name, values in measured.items()],
        [Table(f"{asked:,} questions, lists of {top_n}", ("list", *(_NAMES[key] for key in shown)),
               [(spaced(name), *(round(values[key], 4) for key in shown))
                for name, values in measured.items()])],
        [_plot(measured, top_n)],
    )  # fmt: skip


def _plot(measured: Mapping[str, Mapping[str, float]], top_n: int) -> Plot:
    return Plot(
        f"Each list, lists of {top_n}",
        "popularity bias",
        "MRR",
        {
            spaced(name): ([values["popularity_bias"]], [values["mrr"]])
            for name, values in measured.items()
        },
    )
