"""How each kind of fault of the schedule happens to a worker, the broker or Redis."""

import asyncio
from contextlib import ExitStack
from random import Random

from tests.chaos.crew import Crew
from tests.chaos.journal import Journal
from tests.chaos.schedule import BROKER, REDIS, Fault
from tests.chaos.site import Site, silenced
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy

_SLOW_S = 0.03
_FULL_BYTES = 1_000_000
_AWAKE_S = 3.0
_READY_AGAIN = "back"


class Faults:
    """Makes faults happen.

    Args:
        site: The servers.
        crew: The workers.
        journal: Records the faults.
    """

    def __init__(self, site: Site, crew: Crew, journal: Journal) -> None:
        self._site = site
        self._crew = crew
        self._journal = journal

    async def run(self, track: str, faults: list[Fault], until_s: float) -> None:
        """Let the faults of one track happen, each at its time, or after the previous one.

        Args:
            track: The worker or server.
            faults: The faults, by time.
            until_s: Time at which events end; a slow machine leaves out later faults.
        """
        for fault in faults:
            await asyncio.sleep(fault.at_s - self._journal.now_s)
            if self._journal.now_s > until_s:
                self._journal.note(track, f"no time left for {_told(fault)}")
                return
            self._journal.note(track, _told(fault))
            self._journal.counts["faults"] += 1
            if track == BROKER:
                await self._broker(fault)
            elif track == REDIS:
                await self._redis(fault)
            else:
                await self._worker(fault)

    async def _worker(self, fault: Fault) -> None:
        crew, name = self._crew, fault.track
        match fault.kind:
            case "kill":
                crew.kill(name)
                await asyncio.sleep(fault.lasts_s)
            case "term" | "leave":
                await crew.terminate(name)
                await asyncio.sleep(fault.lasts_s)
            case "pause":
                await crew.pause(name, fault.lasts_s)
                return
            case "crash-loop":
                chance = Random(f"{fault}")  # noqa: S311 - moments, not secrets
                for _ in range(fault.count):
                    crew.kill(name)
                    crew.launch(name)
                    await asyncio.sleep(chance.uniform(0.0, fault.lasts_s))
                crew.kill(name)
            case "failpoint":
                crew.kill(name)
                crew.launch(name, fault.place)
                await crew.ready(name)
                reached = await crew.ends(name, fault.lasts_s)
                self._journal.note(name, "died there" if reached else "did not come there")
                crew.kill(name)
            case "zombie":
                crew.kill(name)
                crew.launch(name, fault.place)
                await crew.ready(name)
                await asyncio.sleep(fault.lasts_s)
                self._journal.note(name, "wakes" if crew.wake(name) else "did not come there")
                await asyncio.sleep(_AWAKE_S)
                crew.kill(name)
        crew.launch(name)
        if await crew.ready(name):
            self._journal.note(name, _READY_AGAIN)

    async def _broker(self, fault: Fault) -> None:
        broker, proxy = self._site.broker, self._site.broker_proxy
        match fault.kind:
            case "silence":
                with silenced(broker):
                    await asyncio.sleep(fault.lasts_s)
            case "restart":
                await asyncio.to_thread(broker.kill if fault.hard else broker.stop)
                await asyncio.sleep(fault.lasts_s)
                await asyncio.to_thread(broker.start)
                self._journal.note(BROKER, _READY_AGAIN)
            case _:
                await self._network(proxy, fault)

    async def _redis(self, fault: Fault) -> None:
        redis = self._site.redis
        victims = redis.victims(Random(f"{fault}"))  # noqa: S311 - who it is, not a secret
        match fault.kind:
            case "silence":
                with ExitStack() as stack:
                    for one in victims:
                        stack.enter_context(silenced(one))
                    await asyncio.sleep(fault.lasts_s)
            case "restart":
                await self._restart(victims, fault)
            case "promote":
                await asyncio.to_thread(redis.promote, fault.lasts_s)
                self._journal.note(REDIS, _READY_AGAIN)
            case "flush-scripts":
                _tell(victims, "SCRIPT", "FLUSH")
            case "full":
                _tell(victims, "CONFIG", "SET", "maxmemory", _FULL_BYTES)
                await asyncio.sleep(fault.lasts_s)
                _tell(victims, "CONFIG", "SET", "maxmemory", 0)
            case _:
                await self._network(self._site.redis_proxy, fault, b"EVALSHA")

    async def _restart(self, victims: list[RedisNode], fault: Fault) -> None:
        for one in victims:
            await asyncio.to_thread(one.kill if fault.hard else one.stop)
        await asyncio.sleep(fault.lasts_s)
        for one in victims:
            await asyncio.to_thread(one.start)
        self._journal.note(REDIS, _READY_AGAIN)

    async def _network(self, proxy: Proxy, fault: Fault, to: bytes = b"") -> None:
        match fault.kind:
            case "lose-replies":
                proxy.lose_replies(fault.count, to, hangs=fault.hard)
            case "cut":
                proxy.cut(fault.count)
            case "slow":
                proxy.slow(_SLOW_S)
        await asyncio.sleep(fault.lasts_s)
        proxy.heal()


def _tell(servers: list[RedisNode], *command: str | int) -> None:
    for one in servers:
        with one.client() as client:
            client.execute_command(*command)


def _told(fault: Fault) -> str:
    """Return a fault as text."""
    parts = [fault.kind, fault.place]
    parts += [
        f"{fault.lasts_s:g} s" if fault.lasts_s else "",
        f"x{fault.count}" if fault.count else "",
    ]
    return " ".join([*filter(None, parts), *(["hard"] if fault.hard else [])])
