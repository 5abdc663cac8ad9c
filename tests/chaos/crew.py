"""The workers of a chaos run: started, killed, paused and started again.

A worker that ends unasked is started again after a moment, as a supervisor would. Its last line is
recorded. If no fault explains it, it is a surprise.
"""

import asyncio
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from psutil import STATUS_STOPPED, Process

from tests.chaos.journal import Journal
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_POLL_S = 0.1
_READY_S = 60.0
_TERM_S = 60.0
_GAVE_UP = "streamapp: asked to end, and after"
_RESTART_S = 1.0
_GENERATION = re.compile(r"Joined group .* \(generation (\d+)\)")


@dataclass
class _Member:
    """One worker.

    Attributes:
        worker: Its last process.
        wanted: Whether it should run.
        expects_death: Whether a failpoint may kill it.
        since: When it was launched, by the monotonic clock.
    """

    worker: Worker
    wanted: bool = False
    expects_death: bool = False
    since: float = 0.0


class Crew:
    """The workers of a run, by name.

    Attributes:
        journal: Records what happens to them.
    """

    def __init__(self, deployment: Deployment, journal: Journal, *, static: bool) -> None:
        """Make it, without any worker.

        Args:
            deployment: Its servers, topics and keys.
            journal: Records what happens to them.
            static: Whether they keep their member id when they start again.
        """
        self.journal = journal
        self._deployment = deployment
        self._static = static
        self._members: dict[str, _Member] = {}

    @property
    def rebalances(self) -> int:
        """The number of generations of the group that its members saw."""
        logs = (one.worker.log.read_text(errors="replace") for one in self._members.values())
        return max((int(number) for log in logs for number in _GENERATION.findall(log)), default=0)

    def launch(self, name: str, failpoint: str = "") -> None:
        """Start a worker; do not wait for it.

        Args:
            name: Name of the worker.
            failpoint: The failpoint that kills it, in the form of the setting.
        """
        settings = {"failpoint": failpoint} if failpoint else {}
        if self._static:
            settings["instance_id"] = name
        worker = self._deployment.idle_worker(name, **settings)
        worker.launch()
        self._members[name] = _Member(worker, wanted=True, since=time.monotonic(),
                                      expects_death=bool(failpoint))  # fmt: skip

    async def ready(self, name: str) -> bool:
        """Wait until a worker is ready; return whether it is, for it may die or wait for others."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            member = self._members[name]
            if member.worker.ready:
                return True
            dead = member.expects_death and not member.worker.running
            if dead or not member.wanted:
                return False
            await asyncio.sleep(_POLL_S)
        return False

    def kill(self, name: str) -> None:
        """End a worker by SIGKILL."""
        self._members[name].wanted = False
        self._members[name].worker.kill()
        self.journal.counts["kills"] += 1

    def kill_all(self) -> None:
        """End every worker by SIGKILL, for good."""
        for member in self._members.values():
            member.wanted = False
            member.worker.kill()

    async def terminate(self, name: str) -> None:
        """Ask a worker to end; a ready one must exit 0, or log that a server does not answer."""
        member = self._members[name]
        member.wanted = False
        if not member.worker.running:
            return
        was_ready = member.worker.ready
        self.journal.counts["terminations"] += 1
        os.kill(member.worker.pid, signal.SIGTERM)
        try:
            code = await asyncio.to_thread(member.worker.wait, _TERM_S)
        except subprocess.TimeoutExpired:
            # Its log then shows the stack of each thread.
            os.kill(member.worker.pid, signal.SIGABRT)
            self.journal.surprise(name, f"did not end within {_TERM_S:.0f} s of SIGTERM")
            return
        gave_up = _GAVE_UP in _last_line(member.worker)
        if gave_up:
            self.journal.note(name, "gave up to wait for Kafka or Redis when it was asked to end")
        elif was_ready and code != 0 and not member.expects_death:
            self.journal.surprise(name, f"exit {code} on SIGTERM: {_last_line(member.worker)}")

    async def pause(self, name: str, lasts_s: float) -> None:
        """Stop a worker (SIGSTOP), and let it go on: a zombie."""
        worker = self._members[name].worker
        if not worker.running:
            return
        self.journal.counts["pauses"] += 1
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(lasts_s)
        finally:
            os.kill(worker.pid, signal.SIGCONT)

    def wake(self, name: str) -> bool:
        """Let a worker that a failpoint stopped go on; return whether it was stopped."""
        worker = self._members[name].worker
        stopped = worker.running and Process(worker.pid).status() == STATUS_STOPPED
        if stopped:
            os.kill(worker.pid, signal.SIGCONT)
        return stopped

    async def ends(self, name: str, within_s: float) -> bool:
        """Wait until a failpoint ends a worker; return whether it did: exit 1, or SIGKILL."""
        with suppress(subprocess.TimeoutExpired):
            code = await asyncio.to_thread(self._members[name].worker.wait, within_s)
            return code in {1, -signal.SIGKILL}
        return False

    async def watch(self) -> None:
        """Start workers again that ended unasked, forever."""
        while True:
            for name, member in list(self._members.items()):
                if member.wanted and not member.worker.running and not member.expects_death:
                    self._explain(name, member)
                    await asyncio.sleep(_RESTART_S)
                    if member is self._members[name] and member.wanted:
                        self.launch(name)
            await asyncio.sleep(_POLL_S)

    def _explain(self, name: str, member: _Member) -> None:
        code, said = member.worker.wait(), _last_line(member.worker)
        self.journal.counts["restarts"] += 1
        if member.worker.ready:
            self.journal.surprise(name, f"ended by itself with {code}: {said}")
        else:
            self.journal.note(name, f"did not start ({code}): {said}")


def _last_line(worker: Worker) -> str:
    lines = worker.output.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
