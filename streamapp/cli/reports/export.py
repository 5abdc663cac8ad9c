"""`streamapp export`: the counts of a drained app as numpy arrays."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from streamapp.cli.reports.lag import Lag, wait_until_drained
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.cli.terminal.console import progress
from streamapp.cli.terminal.target import check_target, open_target
from streamapp.config.loader import load_settings
from streamapp.config.rules import decay_rule
from streamapp.config.settings import Settings
from streamapp.core.histories.decay import Decay
from streamapp.inspection.snapshot import Snapshot, read_snapshot
from streamapp.pipelines import main_pipeline

_TEXT_BYTES = 16 * 1024 * 1024
"""Size that ids as text may have, however short most of them are."""


def export_counts(file: Path, timeout_s: float) -> None:
    """Wait until the app is drained, and write its counts.

    Args:
        file: The file to write; its folder must exist.
        timeout_s: How long to wait.

    Raises:
        ConfigError: the file cannot be written.
        StreamappError: the app is not drained in time.
    """
    check_target(file)
    settings = load_settings()
    snapshot = asyncio.run(_read(settings, timeout_s))
    arrays = _arrays(snapshot, decay_rule(settings))
    with open_target(file) as target:
        _write(target, arrays)


def _arrays(snapshot: Snapshot, decay: Decay | None) -> dict[str, Any]:
    """Return the arrays by name; counts that decay are as of the newest event."""
    counts, sum_sq, dot = snapshot.counts, snapshot.counts.sum_sq, snapshot.counts.dot
    as_of = {}
    if decay and counts.exponent is not None and len(counts.items):
        exponent, ts = counts.exponent, snapshot.as_of
        sum_sq = decay.at(sum_sq, 2 * exponent, ts)
        dot = decay.at(dot, exponent[counts.rows] + exponent[counts.indices], ts)
        as_of = {"as_of": np.array(ts)}
    return {
        **_labels(counts.items),
        "sum_sq": sum_sq,
        "data": dot,
        "indices": counts.indices,
        "indptr": counts.indptr,
        **as_of,
    }


def _labels(items: Sequence[str]) -> dict[str, Any]:
    """Return ids as arrays: exactly, and as text where numpy holds that exactly.

    Text of numpy has one width, of four bytes a character, and no NUL at its end.
    """
    ids = [item.encode() for item in items]
    ends = np.cumsum([len(one) for one in ids], dtype=np.int64)
    content = np.frombuffer(b"".join(ids), np.uint8)
    labels = {"item_bytes": content, "item_ends": ends}
    width = 4 * len(items) * max(map(len, items), default=0)
    if width <= max(_TEXT_BYTES, 16 * len(content)) and not any(
        one.endswith("\0") for one in items
    ):
        labels["items"] = np.array(items, np.str_)
    return labels


def _write(target: BinaryIO, arrays: Mapping[str, Any]) -> None:
    """Write arrays as `np.savez` does, the texts compressed: they are mostly padding."""
    with ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            member = ZipInfo(f"{name}.npy")
            member.compress_type = ZIP_DEFLATED if array.dtype.kind == "U" else ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


async def _read(settings: Settings, timeout_s: float) -> Snapshot:
    with progress() as begin:
        async with state_session(settings) as redis:
            layout = await existing_partitions(settings, state_topics(settings))
            wait = begin("waiting for the app")

            def tell(lag: Lag) -> None:
                wait(lag.lag_events, None)

            await wait_until_drained(redis, settings, layout, timeout_s, tell)
            return await read_snapshot(redis, main_pipeline(settings), begin("reading rows"))
