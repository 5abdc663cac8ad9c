"""Kinds of item lists: the same machine at work on several projections of the stream.

A pipeline has topics and state of its own; what it has in common with the others are the events,
the workers, and where its lists go (ADR-0011).
"""

from collections.abc import Mapping
from typing import Any

from streamapp.config.settings import Settings
from streamapp.core.events.event import PURCHASE
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.histories.role_items import roles_of
from streamapp.core.list_kinds import BOUGHT_TOGETHER, ITEM


def extra_kinds(settings: Settings) -> tuple[str, ...]:
    """Return the kinds of item lists that are made beside neighbours; a setting is called alike."""
    return tuple(kind for kind in PROJECTIONS if getattr(settings, kind))


def pipelines(settings: Settings) -> dict[str, Settings]:
    """Return the settings of each pipeline by its kind, those of neighbours first and as they are.

    Lists for users and what is trending are made of all interactions, so by no other pipeline.
    """
    found = {ITEM: settings}
    for kind in extra_kinds(settings):
        end = "-" + kind.replace("_", "-")
        own: dict[str, Any] = {
            **dict.fromkeys(PROJECTIONS, False),
            "catalogue_topic": "",
            "content_neighbours": False,
            "interactions_topic": settings.interactions_topic + end,
            "deltas_topic": settings.deltas_topic + end,
            "state_prefix": f"{settings.state_prefix}{kind}:",
            "event_weights": _weights(settings, kind),
            # With two roles, an item may stand in a history twice.
            "history_cap": settings.history_cap * (2 if roles_of(kind).row else 1),
            "user_list_ttl": 0.0,
            "trending_half_life": 0.0,
        }
        found[kind] = settings.model_copy(update=own)
    return found


def _weights(settings: Settings, kind: str) -> Mapping[str, float]:
    """Return the weights of the types that a kind counts: an extra kind counts users."""
    types = [PURCHASE] if kind == BOUGHT_TOGETHER else settings.event_weights
    return dict.fromkeys(types, 1.0)


def followers(settings: Settings) -> dict[str, Settings]:
    """Return, by topic, the settings of the pipeline whose state follows it; those of others first.

    The catalogue belongs to the first, and tells the shards of all.
    """
    found = dict.fromkeys(settings.source_topics, settings)
    for one in pipelines(settings).values():
        found |= dict.fromkeys(one.internal_topics, one)
    return found
