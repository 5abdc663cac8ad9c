"""Checks of settings against each other; each function checks one rule.

`Settings` runs them after every field was validated by itself.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamapp.core.histories.event_types import ADD_TO_CART, CODES, MOST_TYPES, PURCHASE

if TYPE_CHECKING:
    from streamapp.config.settings import Settings

_KNOWN_TYPES = {"click", ADD_TO_CART, PURCHASE, *CODES}
"""Types that aliases may name also where EVENT_WEIGHTS leaves them out."""


def check_all(settings: "Settings") -> None:
    """Run every check.

    Raises:
        ValueError: settings contradict each other; names them and what is needed.
    """
    for check in _CHECKS:
        check(settings)


def _types_have_weights(settings: "Settings") -> None:
    targets = {*settings.event_aliases.values(), *settings.topic_types.values()}
    if unknown := sorted(targets - set(settings.event_weights) - _KNOWN_TYPES):
        raise ValueError(f"EVENT_WEIGHTS has no weight for {', '.join(unknown)}")


def _types_with_weights_count(settings: "Settings") -> None:
    if special := sorted(set(settings.event_weights) & set(CODES)):
        raise ValueError(f"EVENT_WEIGHTS gives {special[0]} a weight, but it counts as nothing")
    if len(settings.event_weights) > MOST_TYPES:
        raise ValueError(f"EVENT_WEIGHTS names more than {MOST_TYPES} types")


def _formats_are_of_event_topics(settings: "Settings") -> None:
    if unknown := sorted(set(settings.event_formats) - set(settings.event_topics)):
        raise ValueError(f"EVENT_FORMATS names {unknown[0]}, which EVENT_TOPICS does not")


def _bought_items_need_purchases(settings: "Settings") -> None:
    if settings.user_exclude == "bought" and PURCHASE not in settings.event_weights:
        raise ValueError("USER_EXCLUDE=bought needs the weight of a purchase in EVENT_WEIGHTS")


def _bought_lists_need_purchases(settings: "Settings") -> None:
    switches = {
        "BOUGHT_TOGETHER": settings.bought_together,
        "BOUGHT_AFTER_VIEW": settings.bought_after_view,
    }
    for name, is_on in switches.items():
        if is_on and PURCHASE not in settings.event_weights:
            raise ValueError(f"{name} needs the weight of a purchase in EVENT_WEIGHTS")


def _decay_excludes_damping(settings: "Settings") -> None:
    if settings.half_life and settings.damping:
        raise ValueError(
            "DAMPING must be 0 with HALF_LIFE: sums that decay have no fixed scale to add it to"
        )


def _decay_counts_from_1970(settings: "Settings") -> None:
    if settings.half_life and settings.earliest_ts < 0:
        raise ValueError("HALF_LIFE needs an EARLIEST_TS of 0 or more: it counts from 1970 on")


def _topics_are_distinct(settings: "Settings") -> None:
    topics = [
        *settings.event_topics,
        settings.interactions_topic,
        settings.deltas_topic,
        settings.lists_topic,
    ]
    if settings.catalogue_topic:
        topics.append(settings.catalogue_topic)
    switches = {
        "bought-together": settings.bought_together,
        "bought-after-view": settings.bought_after_view,
    }
    topics += [
        f"{topic}-{kind}"
        for topic in (settings.interactions_topic, settings.deltas_topic)
        for kind, is_on in switches.items()
        if is_on
    ]
    if twice := [name for name, count in Counter(topics).items() if count > 1]:
        raise ValueError(f"{twice[0]} is named twice: each setting needs a topic of its own")
    for read in (*settings.event_topics, settings.catalogue_topic):
        if read and (letters := read + settings.dead_letter_suffix) in topics:
            raise ValueError(
                f"{letters} is the topic of the dead letters of {read}: "
                "each setting needs a topic of its own"
            )


def _content_needs_a_catalogue(settings: "Settings") -> None:
    if settings.content_neighbours and not settings.catalogue_topic:
        raise ValueError("CONTENT_NEIGHBOURS needs a CATALOGUE_TOPIC")


def _prefixes_are_disjoint(settings: "Settings") -> None:
    prefixes = settings.list_prefix, settings.state_prefix
    if any(one.startswith(other) for one, other in (prefixes, reversed(prefixes))):
        raise ValueError("neither of LIST_PREFIX and STATE_PREFIX must lie under the other")


_CHECKS: tuple[Callable[["Settings"], None], ...] = (
    _types_have_weights,
    _types_with_weights_count,
    _formats_are_of_event_topics,
    _bought_items_need_purchases,
    _bought_lists_need_purchases,
    _decay_excludes_damping,
    _decay_counts_from_1970,
    _topics_are_distinct,
    _content_needs_a_catalogue,
    _prefixes_are_disjoint,
)
"""In the order in which they are reported."""
