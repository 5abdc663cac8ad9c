"""The counts and lists of one pipeline, beside the truth of its log."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from redis.asyncio import Redis

from streamapp.audit.availability import compare_availability
from streamapp.audit.comparison import (
    SCORE_TOLERANCE,
    TIE,
    Comparison,
    aligned,
    compare_dots,
    compare_norms,
    compare_numbers,
    tolerance_of,
)
from streamapp.audit.content import compare_content, content_lists
from streamapp.audit.lists import compare_lists, listed
from streamapp.audit.log import LogInteractions
from streamapp.audit.truth import Ratings, gram, hidden_items, live_ratings, newest_of
from streamapp.config.rules import item_rule
from streamapp.config.settings import Settings
from streamapp.core.arrays.array_types import Bools, Floats
from streamapp.core.events.catalogue_record import Product
from streamapp.inspection.counts_merge import Counts
from streamapp.inspection.snapshot import (
    Advance,
    Snapshot,
    holds_histories,
    names_under,
    read_published,
    read_snapshot,
)
from streamapp.pipelines import Pipeline
from streamapp.store.slot.keys import list_name
from streamapp.store.values.hidden_items import HiddenItems, read_hidden


@dataclass(frozen=True, slots=True)
class Counted:
    """The state of one pipeline, beside the truth.

    Attributes:
        snapshot: The counts in Redis.
        held: bool, by user of the log. Whether the user must have a history.
        user_hidden: The items that each user has hidden, by user number.
        live: The entries of all histories as they should be.
        expected: The true counts, under one numbering with the stored ones.
        stored: The counts as Redis has them.
        hidden: Items that its shards hide.
        lists: The lists of the items of `expected`.
    """

    snapshot: Snapshot
    held: Bools
    user_hidden: dict[int, dict[str, float]]
    live: Ratings
    expected: Counts
    stored: Counts
    hidden: HiddenItems
    lists: list[bytes | None]

    def comparisons(
        self, settings: Settings, pipeline: Pipeline, products: Mapping[str, Product]
    ) -> dict[str, Comparison]:
        """Compare the counts and lists of `pipeline`; `products` is the catalogue."""
        fading = pipeline.decay is not None
        tolerance = tolerance_of(pipeline.event_weights, fading=fading)
        histories = int(self.held.sum())
        items, hidden = self.expected.items, self.hidden.items
        contents = content_lists(items, self.lists) if pipeline.makes_content_lists else {}
        compared = {
            "histories": compare_numbers("histories", self.snapshot.histories, histories),
            "norms": compare_norms(self.expected, self.stored, self.snapshot.disputed, tolerance),
            "dots": compare_dots(self.expected, self.stored, tolerance),
            "availability": compare_availability(products, self.hidden, pipeline.roles.column),
            "lists": compare_lists(
                self.expected,
                [
                    None if item in contents else content
                    for item, content in zip(items, self.lists, strict=True)
                ],
                item_rule(settings),
                pipeline.kind,
                hidden,
                SCORE_TOLERANCE if fading else TIE,
                settings.list_tolerance,
            ),
        }
        if pipeline.makes_content_lists:
            counted = listed(self.expected, item_rule(settings), hidden)
            compared["content lists"] = compare_content(
                products, contents, counted, settings.top_n, settings.list_tolerance
            )
        return compared


async def count_pipeline(
    redis: Redis,
    settings: Settings,
    pipeline: Pipeline,
    layout: dict[str, int],
    log: LogInteractions,
    begin: Callable[[str], Advance],
    products: Iterable[str],
) -> Counted:
    """Read the state of one pipeline, and count the truth of its log.

    Args:
        redis: A client that answers in bytes.
        settings: The settings.
        pipeline: The pipeline whose counts are made.
        layout: Number of partitions by topic.
        log: The interactions that it should have counted.
        begin: Called with the name of the next step; returns the progress function of the step.
        products: Items of the catalogue.

    Raises:
        StateError: there is no state, or it changes meanwhile.
    """
    snapshot = await read_snapshot(redis, pipeline, begin("reading rows"))
    hidden = await read_hidden(redis, pipeline.state_prefix, layout[pipeline.deltas_topic])
    begin("counting")
    limits = pipeline.history_cap, settings.forget_after or np.inf
    live, user_hidden = live_ratings(log, *limits, pipeline.decay), hidden_items(log, *limits)
    newest = newest_of(live, user_hidden, len(log.users))
    forgotten = await _forgotten(redis, settings, pipeline, layout, log, newest)
    live = live.only(~forgotten[live.user])
    user_hidden = {user: some for user, some in user_hidden.items() if not forgotten[user]}
    held = (newest > -np.inf) & ~forgotten
    roles = pipeline.roles
    truth = gram(live, len(log.users), log.items, roles)
    # Items that only lists name, deleted items and items that no event names may have a list, if
    # something is wrong.
    prefix = list_name(pipeline.kind, "") + ":"
    more = [roles.row + item for item in await names_under(redis, settings.list_prefix + prefix)]
    more += [
        roles.row + item[len(roles.column) :] for item in log.items if item.startswith(roles.column)
    ]
    if pipeline.makes_content_lists:
        more += [*products, *hidden.items]
    expected, stored = aligned(truth, snapshot.counts, [*log.items, *more])
    names = {
        item: prefix + item[len(roles.row) :]
        for item in expected.items
        if item.startswith(roles.row)
    }
    found = await read_published(redis, settings, list(names.values()), begin("reading lists"))
    under = dict(zip(names, found, strict=True))
    lists = [under.get(item) for item in expected.items]
    return Counted(snapshot, held, user_hidden, live, expected, stored, hidden, lists)


async def _forgotten(
    redis: Redis,
    settings: Settings,
    pipeline: Pipeline,
    layout: dict[str, int],
    log: LogInteractions,
    newest: Floats,
) -> Bools:
    """Return for each user whether the app has rightly forgotten the user.

    The app may forget a user when some event is newer than the user's history by twice
    FORGET_AFTER. Only the state says whether it has.
    """
    forgotten = np.zeros(len(log.users), np.bool_)
    if settings.forget_after and len(log.ts):
        idle = np.flatnonzero(newest < log.newest_ts - 2 * settings.forget_after)
        users = [log.users[number] for number in idle.tolist()]
        held = await holds_histories(redis, pipeline, layout, users)
        forgotten[idle] = ~np.array(held, np.bool_)
    return forgotten
