"""A shop: events and names of items; and a shop that is made up.

The made-up shop sells a few themes. Most people come for one or two of them. So items that are
bought together belong together, and a reader can see whether a list makes sense.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamapp.eventlog import LoggedEvent


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop.

    Attributes:
        about: Description and source of the shop, for people.
        names: Name of each item by id.
        events: The events, in time order.
        shown: Well-known items whose neighbours are shown.
    """

    about: str
    names: Mapping[str, str]
    events: Sequence[LoggedEvent]
    shown: Sequence[str]

    @property
    def users(self) -> int:
        """The number of people with an event."""
        return len({event.user_id for event in self.events})


THEMES = {
    "coffee": (
        "Burr grinder", "Espresso beans", "Gooseneck kettle", "Pour-over dripper",
        "Paper filters", "Milk frother", "Moka pot", "Kitchen scale",
    ),
    "camping": (
        "Two-person tent", "Down sleeping bag", "Gas stove", "Head torch",
        "Sleeping mat", "Enamel mug", "Water filter", "Tent pegs",
    ),
    "cycling": (
        "Bike helmet", "Chain oil", "Floor pump", "Inner tube",
        "Front light", "Padded shorts", "Puncture kit", "Bottle cage",
    ),
    "baking": (
        "Bread flour", "Proving basket", "Dough scraper", "Dutch oven",
        "Dry yeast", "Rolling pin", "Cake tin", "Baking parchment",
    ),
    "garden": (
        "Tomato seeds", "Hand trowel", "Watering can", "Potting compost",
        "Pruning shears", "Plant labels", "Garden gloves", "Terracotta pot",
    ),
    "baby": (
        "Nappies", "Wet wipes", "Baby bottle", "Muslin cloths",
        "Teething ring", "Baby monitor", "Changing mat", "Bath thermometer",
    ),
    "painting": (
        "Watercolour set", "Sketchbook", "Round brushes", "Masking tape",
        "Wooden palette", "Table easel", "Charcoal sticks", "Kneaded eraser",
    ),
    "yoga": (
        "Yoga mat", "Cork block", "Stretch strap", "Leggings",
        "Meditation cushion", "Foam roller", "Resistance band", "Mat bag",
    ),
}  # fmt: skip
"""The products of the made-up shop, by theme, the most wanted first."""

_SEED = 7
_USERS = 1_500
_EVENTS_EACH = (4, 28)
_AT_HOME = 0.9
"""Share of events in the themes that a person came for."""
_BOUGHT = 0.2
_OPENED_S = 1_700_000_000.0
_OPEN_FOR_S = 90 * 86_400.0
_PAUSE_S = 45.0


def item_id(name: str) -> str:
    """Return the id of a product of the made-up shop."""
    return name.lower().replace(" ", "-")


def made_up_shop() -> Shop:
    """Return a shop that is the same on every machine."""
    chance = random.Random(_SEED)  # noqa: S311 - a shop, not a secret
    events = sorted(
        (event for number in range(_USERS) for event in _visit(chance, f"visitor-{number}")),
        key=lambda event: event.ts or 0.0,
    )
    names = {item_id(name): name for products in THEMES.values() for name in products}
    return Shop(
        f"A made-up shop of {len(names)} products in {len(THEMES)} themes, the same every time.",
        names,
        events,
        [item_id(products[0]) for products in list(THEMES.values())[:4]],
    )


def _visit(chance: random.Random, user: str) -> list[LoggedEvent]:
    """Return the events of one person, in time order: mostly on the themes they came for."""
    themes = list(THEMES)
    wanted = chance.sample(themes, chance.choice((1, 1, 2)))
    now = _OPENED_S + chance.random() * _OPEN_FOR_S
    events = []
    for _ in range(chance.randint(*_EVENTS_EACH)):
        now += chance.expovariate(1 / _PAUSE_S)
        theme = chance.choice(wanted if chance.random() < _AT_HOME else themes)
        products = THEMES[theme]
        product = products[int(len(products) * chance.random() ** 1.5)]
        kind = "purchase" if chance.random() < _BOUGHT else "click"
        events.append(LoggedEvent(user, item_id(product), kind, round(now, 3)))
    return events
