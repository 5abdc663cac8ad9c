"""Cli. `streamapp export`: the counts of a drained app as numpy arrays."""

import asyncio
from pathlib import Path

import numpy as np

from streamapp.audit.lag import Standing, wait_until_drained
from streamapp.cli.console import progress
from streamapp.cli.session import existing_partitions, state_session, state_topics
from streamapp.errors import ConfigError
from streamapp.settings import Settings, load_settings
from streamapp.store.snapshot import Counts, read_snapshot


def export_counts(file: Path, timeout_s: float) -> None:
    """Wait until the app is drained, and write its counts.

    Args:
        file: Where to; its folder must exist.
        timeout_s: How long to wait.

    Raises:
        ConfigError: the file cannot be written.
        StreamappError: the app is not drained in time.
    """
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"{file}: there is no folder {file.parent}")
    counts = asyncio.run(_read(load_settings(), timeout_s))
    try:
        with file.open("wb") as target:
            np.savez(
                target,
                items=np.array(counts.items, np.str_),
                sum_sq=counts.sum_sq,
                data=counts.dot,
                indices=counts.indices,
                indptr=counts.indptr,
            )
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None


async def _read(settings: Settings, timeout_s: float) -> Counts:
    with progress() as begin:
        async with state_session(settings) as redis:
            layout = await existing_partitions(settings, state_topics(settings))
            wait = begin("waiting for the app")

            def tell(standing: Standing) -> None:
                wait(standing.lag_events, None)

            await wait_until_drained(redis, settings, layout, timeout_s, tell)
            return (await read_snapshot(redis, settings, begin("reading rows"))).counts
