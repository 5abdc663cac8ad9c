"""Compares the published lists of users with the next items of these users.

The counters are in the head of the histories' slot and move with its position, so no event counts
twice. Lists are read before the deltas of the same events are sent. If a batch has several
interactions of one user, only the first one is tested: the user saw no newer list in between.
"""

import time
from collections.abc import Mapping, Sequence

from streamapp.agents.runtime.context import StageContext
from streamapp.core.evaluation.online import OnlineMetrics, Probe, UserSample
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import USER
from streamapp.core.messages.interaction_batch import Admitted


class OnlineEvaluation:
    """Asks the lists of the users of one interactions partition."""

    def __init__(self, context: StageContext) -> None:
        settings = context.settings
        self._lists = context.lists
        self._share = settings.judged_share if context.pipeline.makes_user_lists else 0.0
        self._within_s = settings.judged_within
        self._decay = context.pipeline.decay

    async def evaluate(
        self,
        some: Sequence[Admitted],
        histories: Mapping[str, bytes],
        registry: Registry,
        metrics: OnlineMetrics,
    ) -> None:
        """Evaluate the lists by interactions that are about to be applied, and count the results.

        Args:
            some: The interactions in order, without users whose stored history has them already.
            histories: The histories of all their users, before these interactions.
            registry: The ids of items.
            metrics: The sums to which the results are added.

        Cost: one read of all lists together, if there is anything to ask.
        """
        if not self._share:
            return
        now = time.time()
        sample = UserSample(self._share, now - self._within_s, now + self._within_s, self._decay)
        asked: dict[str, Probe] = {}
        for admitted in some:
            for probe in sample.probes(admitted, histories, registry, asked):
                asked[probe.user] = probe
        if not asked:
            return
        published = await self._lists.get_many(USER, list(asked))
        for probe, content in zip(asked.values(), published, strict=True):
            metrics.judge(probe, content)
