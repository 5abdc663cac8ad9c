"""Compares content neighbours with the TF-IDF similarities of the stored products.

The weights are computed from scratch as a sparse matrix, and the scores are its products. Only the
split of a text into words is the code of the worker.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from scipy.sparse import csr_matrix, diags_array

from streamapp.audit.comparison import EXAMPLES, SCORE_TOLERANCE, TIE, Comparison, Difference
from streamapp.core.content.tfidf import words_of
from streamapp.core.events.catalogue_record import Product
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.list_format import VERSION
from streamapp.core.lists.reason_names import CONTENT

_AT_ONCE = 256

Scores = dict[str, float]
"""Score by item id."""


def content_lists(items: Sequence[str], lists: Sequence[bytes | None]) -> dict[str, bytes]:
    """Return the lists of `items` in which every entry is a content neighbour."""
    return {
        item: content
        for item, content in zip(items, lists, strict=True)
        if content and f'"{CONTENT}"'.encode() in content and _is_of_content(content)
    }


def compare_content(
    products: Mapping[str, Product],
    lists: Mapping[str, bytes],
    counted: Collection[str],
    top_n: int,
    tolerance: float = 0.0,
) -> Comparison:
    """Compare the content neighbours of every product; no other item may have any.

    Args:
        products: The stored products by item.
        lists: Every list of content neighbours by item.
        counted: Items whose list is made from counts.
        top_n: Most entries of a list.
        tolerance: The share of a listed score by which the true one may differ from it.

    Cost: O(pairs of products with a common word), some rows in memory at a time.
    """
    result, different = Comparison(), dict[str, Difference]()
    wanted = {item for item, one in products.items() if one.available} - set(counted)
    for item in sorted(lists.keys() - wanted):
        different[item] = Difference(f"list of {item}", "of content", "no list of content")
    for item, truth in _scores(products, sorted(wanted)):
        result.compared += bool(truth)
        if why := _fault(item, lists.get(item), truth, top_n, tolerance):
            best = sorted(truth, key=lambda other: (-truth[other], other.encode()))[:3]
            expected = ", ".join(f"{other} {truth[other]:.17g}" for other in best)
            different[item] = Difference(f"list of {item}", why, expected or "no list")
    result.different = len(different)
    result.examples = [different[item] for item in sorted(different)[:EXAMPLES]]
    return result


def _scores(products: Mapping[str, Product], items: Sequence[str]) -> Iterator[tuple[str, Scores]]:
    """Yield each of `items` with the scores over 0 of the other available products."""
    every = sorted(products)
    place, known = {item: number for number, item in enumerate(every)}, dict[str, int]()
    words = [words_of(products[item]) for item in every]
    columns = [known.setdefault(word, len(known)) for some in words for word in some]
    if not known:
        yield from ((item, {}) for item in items)
        return
    rows = np.repeat(np.arange(len(every)), [len(some) for some in words])
    shape = len(every), len(known)
    counts = csr_matrix((np.ones(len(columns)), (rows, columns)), shape)
    having = np.bincount(counts.indices, minlength=len(known))
    weights = counts @ diags_array(np.log((1.0 + len(every)) / (1.0 + having)) + 1.0)
    length = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    weights = diags_array(1.0 / np.where(length > 0, length, 1.0)) @ weights
    shown = [item for item in every if products[item].available]
    others = weights[[place[item] for item in shown]].T.tocsr()
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        block = (weights[[place[item] for item in some]] @ others).tocsr()
        for line, item in enumerate(some):
            cells = slice(*block.indptr[line : line + 2])
            pairs = zip(block.indices[cells].tolist(), block.data[cells].tolist(), strict=True)
            yield item, {shown[other]: score for other, score in pairs if shown[other] != item}


def _fault(item: str, content: bytes | None, truth: Scores, top_n: int, tolerance: float) -> str:
    """Return the fault of a list; "" without one."""
    size = min(top_n, len(truth))
    if content is None:
        return "no list" if size else ""
    try:
        value = orjson.loads(content)
        found = [(one["id"], float(one["score"]), one["support"]) for one in value["items"]]
        about = value["v"], value["kind"], value["id"]
    except (ValueError, KeyError, TypeError) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    faults = {
        f"v, kind and id are {about}": about != (VERSION, ITEM, item),
        f"{len(found)} entries instead of {size}, or one of them twice": (
            not len({other for other, _, _ in found}) == len(found) == size
        ),
        "entries are not in the order of their scores and ids": (
            found != sorted(found, key=lambda entry: (-entry[1], entry[0].encode()))
        ),
        "an entry has support": any(support != 0 for _, _, support in found),
    }
    best = sorted(truth.values(), reverse=True)
    for (other, score, _), most in zip(found, best, strict=False):
        true = truth.get(other, 0.0)
        faults[f"{other} scores {score:.17g} instead of {true:.17g}"] = not (
            abs(score - true) <= SCORE_TOLERANCE + tolerance * abs(score)
        )
        faults[f"{other} is where {most:.17g} belongs"] = not abs(true - most) <= TIE
    return next((why for why, holds in faults.items() if holds), "")


def _is_of_content(content: bytes) -> bool:
    try:
        entries: list[Any] = orjson.loads(content)["items"]
        return bool(entries) and all(entry["reason"] == CONTENT for entry in entries)
    except (ValueError, KeyError, TypeError):
        return False
