"""Pipelines: one kind of item lists each, made by the same stages from the same events (ADR-0011).

A pipeline has topics, state and counts of its own. Pipelines share the events, the workers and the
output topic.
"""

from dataclasses import dataclass

from streamapp.config.fingerprints import results_text
from streamapp.config.rules import decay_rule
from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.events.type_names import PURCHASE
from streamapp.core.histories.decay import Decay
from streamapp.core.ids.role_registry import Roles, roles_of
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The input, state and output of one pipeline, as far as pipelines differ.

    Attributes:
        kind: The kind of its item lists.
        roles: The prefixes of its items' ids.
        event_topics: The topics that trackers write to.
        catalogue_topic: The topic of the catalogue; "" if its shards know no categories.
        interactions_topic: Its internal topic of interactions.
        deltas_topic: Its internal topic of deltas.
        state_prefix: Prefix of the keys of its state.
        event_weights: Weight of each event type that it counts.
        history_cap: Most items of a history.
        decay: How interactions decay; None if they do not.
        makes_user_lists: Whether it makes lists for users.
        makes_trending: Whether it makes the lists of trending items.
        owns_trending: Whether its first shard owns the trending lists, also to remove them.
        makes_content_lists: Whether its first shard computes content neighbours.
        results: The settings that change its counts, as canonical JSON; its state carries them.
    """

    kind: str
    roles: Roles
    event_topics: tuple[str, ...]
    catalogue_topic: str
    interactions_topic: str
    deltas_topic: str
    state_prefix: str
    event_weights: dict[str, float]
    history_cap: int
    decay: Decay | None
    makes_user_lists: bool
    makes_trending: bool
    owns_trending: bool
    makes_content_lists: bool
    results: str

    @property
    def internal_topics(self) -> tuple[str, str]:
        """The topics that only this app writes to."""
        return self.interactions_topic, self.deltas_topic

    @property
    def source_topics(self) -> tuple[str, ...]:
        """The topics that others write to."""
        catalogue = (self.catalogue_topic,) if self.catalogue_topic else ()
        return *self.event_topics, *catalogue

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that its state depends on."""
        return *self.source_topics, *self.internal_topics


def extra_kinds(settings: Settings) -> tuple[str, ...]:
    """Return the kinds of item lists that are switched on, `item` left out, in a fixed order."""
    switches = {
        BOUGHT_TOGETHER: settings.bought_together,
        BOUGHT_AFTER_VIEW: settings.bought_after_view,
    }
    return tuple(kind for kind in PROJECTIONS if switches[kind])


def pipelines(settings: Settings) -> dict[str, Pipeline]:
    """Return the pipelines by their kind, the main one first."""
    return {kind: _pipeline(settings, kind) for kind in (ITEM, *extra_kinds(settings))}


def main_pipeline(settings: Settings) -> Pipeline:
    """Return the pipeline that counts all interactions.

    It alone makes lists for users, trending lists and content neighbours.
    """
    return _pipeline(settings, ITEM)


def followers(settings: Settings) -> dict[str, Pipeline]:
    """Return, by topic, the pipeline whose state has the position in that topic.

    Topics of events and of the catalogue come first. Their positions belong to the main pipeline.
    """
    main, *extra = pipelines(settings).values()
    found = dict.fromkeys(main.topics, main)
    for pipeline in extra:
        found |= dict.fromkeys(pipeline.internal_topics, pipeline)
    return found


def _pipeline(settings: Settings, kind: str) -> Pipeline:
    is_main, roles = kind == ITEM, roles_of(kind)
    suffix = "" if is_main else "-" + kind.replace("_", "-")
    weights = settings.event_weights if is_main else _weights_of_users(settings, kind)
    # With two roles, an item may be in a history twice.
    history_cap = settings.history_cap * (2 if roles.row else 1)
    return Pipeline(
        kind=kind,
        roles=roles,
        event_topics=settings.event_topics,
        catalogue_topic=settings.catalogue_topic if is_main else "",
        interactions_topic=settings.interactions_topic + suffix,
        deltas_topic=settings.deltas_topic + suffix,
        state_prefix=settings.state_prefix if is_main else f"{settings.state_prefix}{kind}:",
        event_weights=weights,
        history_cap=history_cap,
        decay=decay_rule(settings),
        makes_user_lists=is_main and settings.user_list_ttl > 0,
        makes_trending=is_main and settings.trending_half_life > 0,
        owns_trending=is_main,
        makes_content_lists=is_main and settings.content_neighbours,
        results=results_text(settings, weights, history_cap, is_main=is_main),
    )


def _weights_of_users(settings: Settings, kind: str) -> dict[str, float]:
    """Return a weight of 1 for each event type that an extra kind counts: it counts users."""
    types = [PURCHASE] if kind == BOUGHT_TOGETHER else settings.event_weights
    return dict.fromkeys(types, 1.0)
