"""A chaos run: carries out a plan, ends all faults, and gives the verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from streamapp.cli.terminal.console import Step
from tests.chaos.crew import Crew
from tests.chaos.evidence import keep_evidence
from tests.chaos.faults import Faults
from tests.chaos.journal import Entry, Journal
from tests.chaos.judge import Verdict, judge
from tests.chaos.producer import Producer
from tests.chaos.reader import Reader
from tests.chaos.schedule import Plan
from tests.chaos.shop import CATALOGUE, records
from tests.chaos.site import Site, open_site
from tests.servers.deployment import Deployment

_SESSION_S = 6.0
_EXPIRED_S = _SESSION_S + 2.0
_SHOW_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        plan: The planned events and faults.
        journal: What happened.
        verdict: What the judge found.
    """

    plan: Plan
    journal: Journal
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether there is no difference, and every event in the journal has a reason."""
        return not (self.verdict.differences or self.journal.surprises)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome in JSON form."""
        plan = self.plan
        return {
            "seed": plan.seed,
            "backend": plan.backend,
            "duration_s": plan.duration_s,
            "history_cap": plan.history_cap,
            "half_life_s": plan.half_life_s,
            "partitions": plan.partitions,
            "workers": len(plan.workers),
            "static_members": plan.static_members,
            "cluster": plan.cluster,
            "figures": {**self.verdict.figures, **self.journal.counts},
            "faults": [entry._asdict() for entry in self.journal.entries],
            "surprises": self.journal.surprises,
            "differences": self.verdict.differences,
            "examples": self.verdict.examples,
        }


def carry_out(
    plan: Plan, folder: Path, tell: Callable[[Entry], None], begin: Callable[[str], Step]
) -> Outcome:
    """Carry out a plan.

    Args:
        plan: The plan.
        folder: Folder for the logs of processes and the outcome.
        tell: Called with each entry of the journal.
        begin: Begins a step of the progress.

    Raises:
        BackendError: the backend cannot run on this machine.
    """
    begin("starting servers")
    with open_site(plan.backend, cluster=plan.cluster) as site:
        deployment = Deployment(site.servers, folder)
        deployment.env |= _settings(deployment, plan)
        journal = Journal(tell)
        crew = Crew(deployment, journal, static=plan.static_members)
        try:
            verdict = asyncio.run(_run(plan, site, deployment, crew, begin))
        finally:
            crew.kill_all()
    outcome = Outcome(plan, journal, verdict)
    (folder / "outcome.json").write_bytes(orjson.dumps(outcome.as_dict()))
    return outcome


def _settings(deployment: Deployment, plan: Plan) -> dict[str, str]:
    return {
        "STREAMAPP_EVENT_TOPICS": ",".join(f"{deployment.name}-{name}" for name in plan.topics),
        "STREAMAPP_PARTITIONS": str(plan.partitions),
        "STREAMAPP_HISTORY_CAP": str(plan.history_cap),
        "STREAMAPP_HALF_LIFE": f"{plan.half_life_s:g}",
        "STREAMAPP_BOUGHT_TOGETHER": str(plan.bought_together).lower(),
        "STREAMAPP_BOUGHT_AFTER_VIEW": str(plan.bought_after_view).lower(),
        "STREAMAPP_CATALOGUE_TOPIC": f"{deployment.name}-{CATALOGUE}" if plan.catalogue else "",
        "STREAMAPP_CONTENT_NEIGHBOURS": str(plan.content).lower(),
        "STREAMAPP_SESSION_TIMEOUT": f"{_SESSION_S:g}",
        "STREAMAPP_REDIS_TIMEOUT": "2",
        "STREAMAPP_REDIS_CLUSTER": str(plan.cluster).lower(),
        "PYTHONFAULTHANDLER": "1",
    }


async def _run(
    plan: Plan, site: Site, deployment: Deployment, crew: Crew, begin: Callable[[str], Step]
) -> Verdict:
    begin("starting workers")
    for name in plan.workers[:-1]:
        crew.launch(name)
    for name in plan.workers[:-1]:
        await crew.ready(name)
    await asyncio.to_thread(site.redis.copy)
    crew.launch(plan.workers[-1])

    journal = crew.journal
    shop = records(plan.seed, plan.topics, catalogue=plan.catalogue)
    producer = Producer(deployment, shop, plan.events_per_s, journal)
    faults, step = Faults(site, crew, journal), begin("chaos")
    journal.begin()
    async with asyncio.TaskGroup() as background:
        watch = background.create_task(crew.watch())
        reader = Reader(deployment, site.redis, journal)
        background.create_task(reader.run())
        shown = background.create_task(_show(plan, producer, step))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.run(plan.duration_s))
            for track in plan.tracks:
                some = [fault for fault in plan.faults if fault.track == track]
                tasks.create_task(faults.run(track, some, plan.duration_s))
        shown.cancel()
        site.heal()
        journal.note("everything", "healed; draining")
        if plan.backend == "embedded":
            await _expel_the_dead(crew, plan.workers[0])
        begin("judging")
        written = (*plan.topics, CATALOGUE) if plan.catalogue else plan.topics
        verdict = await judge(deployment, written, producer.sent)
        reader.stop()
        watch.cancel()
        if verdict.differences:
            await keep_evidence(deployment, written)
    for name in plan.workers:
        await crew.terminate(name)
    verdict.figures |= {"events": producer.events, "sent again": producer.repeated,
                        "rebalances": crew.rebalances}  # fmt: skip
    return verdict


async def _expel_the_dead(crew: Crew, name: str) -> None:
    """Let a member join: only then does the embedded broker see which members died."""
    await asyncio.sleep(_EXPIRED_S)
    await crew.terminate(name)
    crew.launch(name)
    await crew.ready(name)


async def _show(plan: Plan, producer: Producer, step: Step) -> None:
    total = int(plan.duration_s * plan.events_per_s)
    while True:
        step(producer.sent, total)
        await asyncio.sleep(_SHOW_S)
