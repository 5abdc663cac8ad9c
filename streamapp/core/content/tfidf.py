r"""TF-IDF: the products of a catalogue that are near each other by their words.

A word is a longest run of characters that Python's `\w` matches (letters, digits, `_`), in the
casefolded text `title category`. Of n products, df have a word. The weight of the word in a product
that has it tf times is `tf * (ln((1 + n) / (1 + df)) + 1)`. The weights of a product are then
divided by the root of the sum of their squares. The score of two products is the sum over their
common words of the products of both weights: the cosine, 0 to 1 but for rounding.

Except for the definition of a word, these are the defaults of scikit-learn's `TfidfVectorizer`: raw
counts, smooth idf, l2 norm. Source: Salton and Buckley 1988, term-weighting approaches in automatic
text retrieval; scikit-learn, user guide, text feature extraction.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled_aside
from streamapp.core.events.catalogue_record import Product
from streamapp.core.messages.content_neighbours import ContentNeighbour

_WORD = re.compile(r"\w+")


def words_of(product: Product) -> list[str]:
    """Return the words of a product, with repetitions."""
    return _WORD.findall(f"{product.title} {product.category}".casefold())


class Texts:
    """The words of all products; a product that is not available also counts in n and df.

    Args:
        products: By item id.

    Attributes:
        items: Ids of the products in byte order; the index of an id is its number here.

    Cost: O(words log words) time, 40 bytes for each distinct word of each product.
    """

    def __init__(self, products: Mapping[str, Product]) -> None:
        self.items = sorted(products, key=str.encode)
        self._number = {item: number for number, item in enumerate(self.items)}
        self._shown: Bools = np.array([products[item].available for item in self.items], np.bool_)
        known: dict[str, int] = {}
        words = [words_of(products[item]) for item in self.items]
        word = np.array([known.setdefault(one, len(known)) for some in words for one in some], int)
        owner = np.repeat(np.arange(len(words)), np.array([len(some) for some in words], int))
        cell, count = np.unique(owner * max(1, len(known)) + word, return_counts=True)
        owner, word = np.divmod(cell, max(1, len(known)))
        having = np.bincount(word, minlength=len(known))
        weight = count * (np.log((1 + len(words)) / (1 + having)) + 1)[word]
        weight /= np.sqrt(np.bincount(owner, weight**2, len(words)))[owner]
        self._words = _grouped(owner, len(words)), word.astype(np.int32), weight
        order = np.argsort(word, kind="stable")
        self._postings = (
            _grouped(word, len(known)), owner[order].astype(np.int32), weight[order]
        )  # fmt: skip

    def nearest(self, items: Sequence[str], top_n: int) -> list[list[ContentNeighbour]]:
        """Return for each of `items` the nearest other products that are available.

        Args:
            items: Ids of products.
            top_n: Most entries of a list; > 0.

        Returns:
            Lists in the order of `items`: score down, then id up in byte order; scores are over 0.

        Cost: O(postings of the words of `items` + entries moved), without the interpreter's lock.
        """
        numbers = np.array([self._number[item] for item in items], np.int32)
        size, item, score = _nearest(numbers, *self._words, *self._postings, self._shown, top_n)
        lines = zip(size.tolist(), item.tolist(), score.tolist(), strict=True)
        return [
            [
                ContentNeighbour(self.items[other], value)
                for other, value in zip(some, values, strict=True)
            ][:n]
            for n, some, values in lines
        ]


def _grouped(group: Longs, groups: int) -> Longs:
    """Return where the entries of each group start, and where the last group ends."""
    return np.concatenate(([0], np.cumsum(np.bincount(group, minlength=groups))))


@compiled_aside
def _nearest(
    numbers: Ints,
    word_starts: Longs,
    words: Ints,
    weights: Floats,
    posting_starts: Longs,
    owners: Ints,
    posted: Floats,
    shown: Bools,
    top_n: int,
) -> tuple[Ints, Ints, Floats]:
    lines = len(numbers)
    size = np.zeros(lines, np.int32)
    item, score = np.full((lines, top_n), -1, np.int32), np.zeros((lines, top_n))
    total, met = np.zeros(len(shown)), np.empty(len(shown), np.int32)
    for line in range(lines):
        own, count, full = numbers[line], 0, 0
        for at in range(word_starts[own], word_starts[own + 1]):
            word = words[at]
            for posting in range(posting_starts[word], posting_starts[word + 1]):
                other = owners[posting]
                if other == own or not shown[other]:
                    continue
                if total[other] == 0.0:
                    met[count] = other
                    count += 1
                total[other] += weights[at] * posted[posting]
        for other in met[:count]:
            value, total[other] = total[other], 0.0
            rank = full
            while rank > 0 and (
                value > score[line, rank - 1]
                or (value == score[line, rank - 1] and other < item[line, rank - 1])
            ):
                rank -= 1
            if rank == top_n:
                continue
            full = min(full + 1, top_n)
            for after in range(full - 1, rank, -1):
                item[line, after] = item[line, after - 1]
                score[line, after] = score[line, after - 1]
            item[line, rank], score[line, rank] = other, value
        size[line] = full
    return size, item, score
