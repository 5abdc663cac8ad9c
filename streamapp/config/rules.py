"""The rules of the core, as the settings choose them."""

import math
from collections.abc import Collection, Mapping

from streamapp.config.settings import Settings
from streamapp.core.events.rules import EventRules
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.event_types import (
    FORGET,
    HIDE,
    MERGE,
    PURCHASE,
    TAKES_BACK,
    UNHIDE,
    EventTypes,
)
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.lists.blending import BlendRule
from streamapp.core.lists.ranking import ListRule

_MORE_NAMES = {"cart": "add_to_cart"}
"""Further aliases, which EVENT_ALIASES overrides.

They are not defaults of EVENT_ALIASES: its value is stored with the positions, so a new default
would make existing state unreadable.
"""


def event_rules(settings: Settings) -> EventRules:
    """Return how events are read; an alias of a type without a weight stays unknown."""
    known = known_types(settings.event_weights)
    aliases = {alias: name for alias, name in settings.event_aliases.items() if name in known}
    more = {alias: name for alias, name in _MORE_NAMES.items() if name in known}
    return EventRules(
        types=more | aliases | {name: name for name in known},
        implied=settings.topic_types,
        earliest_ts=settings.earliest_ts,
        max_ahead_s=settings.max_ahead_s,
        max_record_bytes=settings.max_record_bytes,
        check_keys=settings.key_mismatch == "refuse",
        formats=settings.event_formats,
        max_order_items=settings.max_order_items,
        ignored_users=frozenset(settings.ignored_users),
    )


def topic_by_type(settings: Settings) -> dict[str, str]:
    """Return the topic of events of each type, by every name of the type.

    It is the topic that implies the type, or else the first event topic. An event that takes back
    follows what it takes back.
    """
    implied = {
        kind: name
        for name, kind in reversed(settings.topic_types.items())
        if name in settings.event_topics
    }
    first = settings.event_topics[0]
    return {
        name: implied.get(TAKES_BACK.get(kind, kind), first)
        for name, kind in event_rules(settings).types.items()
    }


def known_types(weights: Collection[str]) -> set[str]:
    """Return the types that count, and those that take them back or say something else."""
    taking = {name for name, taken in TAKES_BACK.items() if taken in weights}
    return {*weights, *taking, HIDE, UNHIDE, FORGET, MERGE}


def item_rule(settings: Settings) -> ListRule:
    """Return how a list of an item is made from counts."""
    return ListRule(settings.top_n, settings.damping, settings.min_support, settings.measure)


def user_rule(settings: Settings) -> BlendRule:
    """Return how a list for a user is made from lists of items."""
    purchase = settings.event_weights.get(PURCHASE, math.inf)
    exclude_from = {"seen": 0.0, "bought": purchase, "nothing": math.inf}[settings.user_exclude]
    return BlendRule(
        settings.top_n,
        settings.user_depth,
        settings.user_fading,
        rated=True,
        exclude_from=exclude_from,
    )


def decay_rule(settings: Settings) -> Decay | None:
    """Return how interactions decay; None if they do not."""
    return Decay(settings.half_life) if settings.half_life else None


def history_rule(settings: Settings, weights: Mapping[str, float], history_cap: int) -> HistoryRule:
    """Return what the histories of a pipeline keep.

    Args:
        settings: The settings.
        weights: Weight of each event type that the pipeline counts.
        history_cap: Most items of a history of the pipeline.
    """
    return HistoryRule(
        EventTypes.of(weights),
        history_cap,
        settings.forget_after or math.inf,
        decay_rule(settings),
    )
