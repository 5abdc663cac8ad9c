"""What the benchmark reads from workers and servers: idle workers, and samples of positions."""

import time
from typing import Any

import pytest

from loadtest.bench import idle
from loadtest.bench.watch import pause_s


class Server:
    """A Redis that counts calls."""

    def __init__(self) -> None:
        self.asked = 0

    def client_id(self) -> int:
        """Return the number of the client that asks."""
        return 7

    def client_list(self) -> list[dict[str, str]]:
        """Return the asking client and two others."""
        return [{"id": "7"}, {"id": "8"}, {"id": "11"}]

    def info(self, section: str) -> dict[str, dict[str, int]]:
        """Return a hundred more calls of HMGET each time, one EVALSHA before, and its own."""
        assert section == "commandstats"
        self.asked += 1
        names = {"hmget": 100 * self.asked, "evalsha": 1, "info": 50 * self.asked}
        return {f"cmdstat_{name}": {"calls": calls} for name, calls in names.items()}


class Worker:
    """A process that uses half of a CPU."""

    def cpu_s(self) -> float:
        """Return the CPU seconds used."""
        return time.monotonic() / 2

    def rss_bytes(self) -> int:
        """Return its memory."""
        return 1_000


def test_an_idle_worker_is_charged_with_the_calls_of_others_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the benchmark are no work of the worker; what was before is none either."""
    monkeypatch.setattr(idle, "CALM_S", 0.0)
    monkeypatch.setattr(idle, "IDLE_S", 0.1)
    server, worker = Server(), Worker()
    found: dict[str, Any] = idle.idle(server, worker)  # type: ignore[arg-type]
    assert 500 < found["idle_commands_per_s"] <= 1_000
    assert found["idle_commands"].keys() == {"hmget"}
    assert found["idle_cpu_share"] == pytest.approx(0.5, rel=0.05)
    assert (found["idle_rss_bytes"], found["connections"]) == (1_000, 2)


def test_samples_leave_the_cpu_to_the_servers() -> None:
    """A sample that takes 20 ms is followed by a pause of 180 ms, a quick one by 20 ms."""
    assert pause_s(0.001) == 0.02
    assert pause_s(0.02) == pytest.approx(0.18)
