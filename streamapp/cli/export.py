"""`streamapp export`: the counts of a drained app as numpy arrays."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from streamapp.cli.lag import Lag, wait_until_drained
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.cli.terminal.console import progress
from streamapp.cli.terminal.target import check_target
from streamapp.config.loader import load_settings
from streamapp.config.rules import decay_rule
from streamapp.config.settings import Settings
from streamapp.core.histories.decay import Decay
from streamapp.errors import ConfigError
from streamapp.inspection.snapshot import Snapshot, read_snapshot
from streamapp.pipelines import main_pipeline


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
    try:
        with file.open("wb") as target:
            np.savez(target, **arrays)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None


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
        "items": np.array(counts.items, np.str_),
        "sum_sq": sum_sq,
        "data": dot,
        "indices": counts.indices,
        "indptr": counts.indptr,
        **as_of,
    }


async def _read(settings: Settings, timeout_s: float) -> Snapshot:
    with progress() as begin:
        async with state_session(settings) as redis:
            layout = await existing_partitions(settings, state_topics(settings))
            wait = begin("waiting for the app")

            def tell(lag: Lag) -> None:
                wait(lag.lag_events, None)

            await wait_until_drained(redis, settings, layout, timeout_s, tell)
            return await read_snapshot(redis, main_pipeline(settings), begin("reading rows"))
