"""The schedule of a run: a seed -> the events that come in, and which fault happens when.

Pure: the same seed, backend and length give the same plan, and a longer plan begins with the
shorter one. A track can have one fault at a time: a worker, the broker, or Redis. Faults of one
track never overlap; those of different tracks do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from streamapp.failpoints import CATALOGUE_NAMES, CATEGORY_NAMES, CONTENT_NAMES, NAMES

BROKER = "broker"
REDIS = "redis"
BACKENDS = ("embedded", "kafka")

_CALM_S = 6.0
"""Servers have no fault earlier. Until then workers join and make their state, so none can be
missing. Workers may die with the first event."""

_MOST_HITS = 25
"""Most times that a failpoint is passed before it acts."""

_ACTIONS = ("", ":raise")
"""The actions of a failpoint: the process is killed there, or fails."""

_WEIGHTS = {
    "kill": 4,
    "term": 2,
    "pause": 3,
    "failpoint": 5,
    "zombie": 3,
    "crash-loop": 1,
    "leave": 2,
    "silence": 3,
    "restart": 3,
    "lose-replies": 3,
    "cut": 2,
    "slow": 1,
    "flush-scripts": 1,
    "full": 1,
    "promote": 3,
}
_OF_WORKERS = ("kill", "term", "pause", "failpoint", "zombie", "crash-loop", "leave")
_OF_BROKER = ("silence", "lose-replies", "cut", "slow")
_OF_REDIS = ("restart", "silence", "lose-replies", "cut", "slow", "flush-scripts", "full",
             "promote")  # fmt: skip
_OF_CLUSTER = ("restart", "silence", "flush-scripts", "full", "promote")
_LASTS_S = {
    "kill": (0.0, 3.0),
    "term": (0.0, 2.0),
    "pause": (7.0, 14.0),
    "failpoint": (4.0, 8.0),
    "zombie": (8.0, 14.0),
    "crash-loop": (1.0, 8.0),
    "leave": (8.0, 16.0),
    "silence": (1.0, 9.0),
    "restart": (0.0, 3.0),
    "lose-replies": (2.0, 4.0),
    "cut": (0.0, 1.0),
    "slow": (2.0, 5.0),
    "flush-scripts": (0.0, 0.0),
    "full": (1.0, 4.0),
    "promote": (0.5, 5.0),
}
_GAPS_S = {"worker": (3.0, 16.0), BROKER: (5.0, 22.0), REDIS: (3.0, 14.0)}
_LONG_SILENCE_S = 30.0
_HALF_LIFE_S = 3_600.0
"""The shop has an event for each second, and some that are more than an hour late."""


@dataclass(frozen=True)
class Fault:
    """One fault of a track.

    Attributes:
        at_s: When it begins, in seconds from the first event.
        track: The worker or server.
        kind: Name of the fault, as in `faults`.
        lasts_s: How long it lasts, once a worker that it needs is ready; for `promote`, how far the
            replica is behind.
        place: The failpoint, as its setting has it; for `failpoint` and `zombie` only.
        count: How many replies are lost, or bytes pass before a cut, or processes die in a row.
        hard: Whether the gentle or the hard form is meant: SIGTERM or SIGKILL of a server, a lost
            reply that ends the connection or one that hangs.
    """

    at_s: float
    track: str
    kind: str
    lasts_s: float
    place: str = ""
    count: int = 0
    hard: bool = False


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        seed: Seed of all random choices.
        backend: Name of the backend.
        duration_s: How long events come in.
        events_per_s: Events per second.
        history_cap: Most items of a history; with less than the shop has, there is one topic.
        half_life_s: Half-life of interactions in seconds of event time; 0 without decay.
        topics: Event topics by their short names.
        partitions: Partitions of every topic.
        workers: The names of the workers.
        static_members: Whether workers keep their member id when they start again.
        bought_together: Whether baskets are counted as well.
        bought_after_view: Whether purchases after a view are counted as well.
        catalogue: Whether there is a catalogue with the availability of items.
        content: Whether its products have content neighbours.
        cluster: Whether Redis is a cluster.
        faults: By time.
    """

    seed: int
    backend: str
    duration_s: float
    events_per_s: int
    history_cap: int
    half_life_s: float
    topics: tuple[str, ...]
    partitions: int
    workers: tuple[str, ...]
    static_members: bool
    bought_together: bool
    bought_after_view: bool
    catalogue: bool
    content: bool
    cluster: bool
    faults: tuple[Fault, ...]

    @property
    def tracks(self) -> tuple[str, ...]:
        """What can have faults, one at a time each."""
        return *self.workers, BROKER, REDIS


def plan(
    seed: int, backend: str, duration_s: float, workers: int = 3, partitions: int | None = None
) -> Plan:
    """Return the plan of a seed; `partitions` take the place of those that the seed chooses."""
    chance = Random(f"{seed}")  # noqa: S311 - chaos, not secrets
    overflows = chance.random() < 1 / 3
    made = Plan(
        seed=seed,
        backend=backend,
        duration_s=duration_s,
        events_per_s=chance.randrange(300, 801, 50),
        history_cap=chance.randrange(3, 12) if overflows else 100,
        half_life_s=_HALF_LIFE_S if chance.random() < 1 / 3 else 0.0,
        topics=("clicks",) if overflows else ("clicks", "purchases"),
        partitions=chance.choice((3, 4, 5)),
        workers=tuple(f"worker-{number + 1}" for number in range(workers)),
        # With several static members, the embedded broker never settles after one was expelled.
        static_members=chance.random() < 1 / 2 and backend != "embedded",
        bought_together=chance.random() < 1 / 2,
        bought_after_view=chance.random() < 1 / 2,
        catalogue=(catalogue := chance.random() < 1 / 2),
        content=chance.random() < 1 / 2 and catalogue,
        cluster=chance.random() < 1 / 4,
        faults=(),
    )
    if partitions is not None:
        made = replace(made, partitions=partitions)
    found = [fault for track in made.tracks for fault in _faults(made, track)]
    return replace(made, faults=tuple(sorted(found, key=lambda fault: (fault.at_s, fault.track))))


def _faults(made: Plan, track: str) -> Iterator[Fault]:
    chance = Random(f"{made.seed}/{made.backend}/{track}")  # noqa: S311
    kinds, places = _kinds(made, track), _places(made)
    gaps_s = _GAPS_S.get(track, _GAPS_S["worker"])
    at_s = (
        chance.uniform(0, gaps_s[1]) if track in made.workers else _CALM_S + chance.uniform(*gaps_s)
    )
    while True:
        at_s = round(at_s, 2)
        kind = chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
        fault = _fault(chance, at_s, track, kind, places)
        if at_s + fault.lasts_s > made.duration_s:
            return
        yield fault
        at_s += fault.lasts_s + chance.uniform(*gaps_s)


def _fault(chance: Random, at_s: float, track: str, kind: str, names: Sequence[str]) -> Fault:
    """Return a fault; it draws the same number of times for every kind."""
    lasts_s, count, place, hits, action, long, hard = (
        round(chance.uniform(*_LASTS_S[kind]), 2),
        chance.randrange(2, 6),
        chance.choice(names),
        chance.randrange(1, _MOST_HITS),
        chance.choice(_ACTIONS),
        chance.random() < 1 / 6,
        chance.random() < 1 / 2,
    )
    if kind == "silence" and track == BROKER and long:
        lasts_s = _LONG_SILENCE_S
    if kind == "cut":
        count *= 20_000
    places = {"failpoint": f"{place}:{hits}{action}", "zombie": f"{place}:{hits}:stop"}
    return Fault(
        at_s, track, kind, lasts_s,
        place=places.get(kind, ""),
        count=count if kind in {"lose-replies", "cut", "crash-loop"} else 0,
        hard=hard and kind in {"lose-replies", "restart"},
    )  # fmt: skip


def _kinds(made: Plan, track: str) -> tuple[str, ...]:
    """Return the kinds for a track; the embedded broker loses its data with its process."""
    if track == REDIS:
        return _OF_CLUSTER if made.cluster else _OF_REDIS
    if track == BROKER:
        return (*_OF_BROKER, "restart") if made.backend == "kafka" else _OF_BROKER
    return _OF_WORKERS


def _places(made: Plan) -> tuple[str, ...]:
    """Return the failpoints that a worker passes."""
    return (
        *NAMES,
        *((*CATALOGUE_NAMES, *CATEGORY_NAMES) if made.catalogue else ()),
        *(CONTENT_NAMES if made.content else ()),
    )
