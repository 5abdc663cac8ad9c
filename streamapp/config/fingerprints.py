"""The settings that stored state depends on, as canonical JSON texts that the state carries.

A worker compares the stored text with its own, and refuses a state that was made under other
settings. The keys and their order are part of the stored format.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from streamapp.config.rules import item_rule
from streamapp.config.settings import Settings
from streamapp.core.events.formats.known_formats import FLAT
from streamapp.core.events.orders import MAX_ORDER_ITEMS

_TOLERANCE = "tolerance"
_DETAILS, _FULL = "details", "full"
_TRENDING_REPEATS = "trending_repeats"

_WHERE_ABSENT: Mapping[str, Any] = {_TRENDING_REPEATS: "all"}
"""What it means that a text lacks a setting; it is switched off if it is not named here."""


def rule_text(settings: Settings) -> str:
    """Return the settings that make item lists from counts, and how exact their scores are."""
    # Absent where it is 0, so that state from before this setting is that of exact scores.
    tolerance = {_TOLERANCE: settings.list_tolerance} if settings.list_tolerance else {}
    details = {_DETAILS: settings.list_details} if settings.list_details != _FULL else {}
    return _canonical(asdict(item_rule(settings)) | tolerance | details)


def lists_fit(stored: str, settings: Settings) -> bool:
    """Say whether lists that were published under a stored rule are right under the settings.

    Lists of a lower tolerance are right under a higher one.
    """
    rule = json.loads(stored)
    tolerance = rule.pop(_TOLERANCE, 0.0)
    details = rule.pop(_DETAILS, _FULL)
    fits: bool = rule == asdict(item_rule(settings)) and tolerance <= settings.list_tolerance
    return fits and details == settings.list_details


def reading_text(settings: Settings, topic: str) -> str:
    """Return the settings that say how the events of a topic are read."""
    form, most = settings.event_formats.get(topic, FLAT.name), settings.max_order_items
    ignored = sorted(settings.ignored_users)
    return _canonical(
        {
            "topic_types": settings.topic_types.get(topic, ""),
            "event_aliases": settings.event_aliases,
            "key_mismatch": settings.key_mismatch,
            "earliest_ts": settings.earliest_ts,
            "max_ahead_s": settings.max_ahead_s,
            "max_record_bytes": settings.max_record_bytes,
            # Absent where they are the defaults, so that state from before them still fits.
            **({"event_formats": form} if form != FLAT.name else {}),
            **({"max_order_items": most} if most != MAX_ORDER_ITEMS else {}),
            **({"ignored_users": ignored} if ignored else {}),
        }
    )


def results_text(
    settings: Settings, event_weights: Mapping[str, float], history_cap: int, *, is_main: bool
) -> str:
    """Return the settings that change the counts of a pipeline.

    Args:
        settings: The settings.
        event_weights: Weight of each event type that the pipeline counts.
        history_cap: Most items of a history of the pipeline.
        is_main: Whether the pipeline has trending lists and content neighbours.
    """
    makes_trending = is_main and settings.trending_half_life > 0
    is_daily = makes_trending and settings.trending_repeats != "all"
    return _canonical(
        {
            "event_weights": event_weights,
            "forget_after": settings.forget_after,
            "history_cap": history_cap,
            "trending_half_life": settings.trending_half_life if is_main else 0.0,
            # Absent where every interaction counts, as in state from before this setting.
            **({_TRENDING_REPEATS: settings.trending_repeats} if is_daily else {}),
            # Absent where switched off, so that state from before these settings still fits.
            **({"half_life": settings.half_life} if settings.half_life else {}),
            **({"content_neighbours": True} if is_main and settings.content_neighbours else {}),
        }
    )


def changes(before: str, now: str) -> str:
    """Describe the settings that differ between two texts."""
    old, new = ({**_WHERE_ABSENT, **json.loads(text or "{}")} for text in (before, now))
    return ", ".join(
        f"STREAMAPP_{name.upper()} was {json.dumps(old.get(name))}, is {json.dumps(new.get(name))}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _canonical(chosen: Mapping[str, Any]) -> str:
    return json.dumps(chosen, sort_keys=True, separators=(",", ":"))
