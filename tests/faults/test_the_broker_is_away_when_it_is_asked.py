"""A worker waits for a broker that is away for a moment, also when it asks for the ends."""

import asyncio

import pytest

from streamapp.config.settings import Settings
from streamapp.embedded.server import HOST, free_port
from streamapp.errors import StateError
from streamapp.transport import offsets
from streamapp.transport.offsets import check_fingerprints, read_offsets
from streamapp.transport.records import TP, RecordFingerprint
from tests.integration.traffic import event, produce, read_topic, succeeded
from tests.servers.deployment import Deployment
from tests.servers.proxy import Proxy

_AWAY_S = 1.0


async def test_offsets_and_marks_are_read_as_soon_as_the_broker_is_back(
    deployment: Deployment,
) -> None:
    """No connection is taken at first, as while a broker restarts."""
    succeeded(deployment, "streamapp", "topics")
    await produce(deployment, [event("u1", "a")])
    topic = f"{deployment.name}-clicks"
    (record,) = await read_topic(deployment, topic)
    tp = TP(topic, record.partition)
    with Proxy(free_port()) as proxy:
        settings = _elsewhere(deployment, proxy.port)
        asked = asyncio.gather(
            read_offsets(settings, [tp], {}),
            check_fingerprints(settings, {tp: RecordFingerprint.of(record)}),
        )
        await asyncio.sleep(_AWAY_S)
        assert not asked.done()
        proxy.target_port = int(deployment.servers.bootstrap.rpartition(":")[2])
        found, _ = await asyncio.wait_for(asked, 20)
    assert found[tp].end == record.offset + 1


async def test_a_broker_that_stays_away_is_named_in_one_line(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker waits for a limited time; then it stops and names the broker."""
    monkeypatch.setattr(offsets, "_PATIENCE_S", _AWAY_S)
    settings = _elsewhere(deployment, free_port())
    with pytest.raises(StateError, match="kafka does not say where clicks ends"):
        await read_offsets(settings, [TP("clicks", 0)], {})


def _elsewhere(deployment: Deployment, port: int) -> Settings:
    """Return the settings with another address of the broker."""
    return deployment.settings.model_copy(update={"broker_url": f"kafka://{HOST}:{port}"})
