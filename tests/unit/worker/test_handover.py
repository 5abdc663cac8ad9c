"""A partition is handed over when no message of its old owner can arrive after the new one's."""

import pytest

from streamapp.config.settings import Settings
from streamapp.transport.records import TP
from streamapp.worker.composition import create_app


@pytest.mark.parametrize("in_time", [True, False])
async def test_partitions_are_given_up_when_nothing_of_theirs_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, in_time: bool
) -> None:
    """Tasks end first, so that nothing more is sent; a silent broker does not keep them."""
    app = create_app(Settings(_env_file=None))
    did: list[str] = []

    async def drop() -> None:
        did.append("tasks ended")

    async def settled(within_s: float) -> bool:
        did.append("settled")
        assert 0 < within_s < app.settings.session_timeout
        return in_time

    monkeypatch.setattr(app.assignment, "drop", drop)
    monkeypatch.setattr(app.context.producer, "settled", settled)
    await app.on_partitions_revoked.send({TP("deltas", 0)})
    assert did == ["tasks ended", "settled"]
    assert ("in flight" in caplog.text) is not in_time
