"""Exported counts: labels are exact, and as large as the ids are."""

from pathlib import Path
from typing import Any

import numpy as np

from streamapp.cli.reports import export


def written(items: list[str], folder: Path) -> tuple[dict[str, Any], int]:
    """Return the labels of a file as they are read, and the size of the file."""
    file = folder / "counts.npz"
    with file.open("wb") as target:
        export._write(target, export._labels(items))
    with np.load(file) as arrays:
        return dict(arrays), file.stat().st_size


def ids_of(labels: dict[str, Any]) -> list[str]:
    """Return the ids as a reader of the file gets them."""
    content, ends = labels["item_bytes"].tobytes(), labels["item_ends"].tolist()
    starts = [0, *ends][:-1]
    return [content[start:end].decode() for start, end in zip(starts, ends, strict=True)]


def test_labels_are_exact_also_where_ids_end_in_nul(tmp_path: Path) -> None:
    """Text of numpy drops a NUL at the end, so that two ids would be one; then there is none."""
    items = ["a", "a\0", "a\0\0", "caf\u00e9", "\U0001f3d5"]
    labels, _ = written(items, tmp_path)
    assert ids_of(labels) == items
    assert "items" not in labels
    labels, _ = written(["a", "a\0b"], tmp_path)
    assert labels["items"].tolist() == ids_of(labels) == ["a", "a\0b"]
    labels, _ = written([], tmp_path)
    assert ids_of(labels) == labels["items"].tolist() == []


def test_one_long_id_adds_little_to_the_file(tmp_path: Path) -> None:
    """Although text of numpy is as wide as the longest id; above 16 MiB there is none."""
    for count, has_text in ((2_000, True), (20_000, False)):
        items = [f"item-{number:07}" for number in range(count)]
        _, before = written(items, tmp_path)
        labels, after = written([*items, "x" * 512], tmp_path)
        assert after < 1.5 * before
        assert ids_of(labels) == [*items, "x" * 512]
        assert ("items" in labels) == has_text
