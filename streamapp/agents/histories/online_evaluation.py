"""OnlineEvaluation: the lists that stand are asked about what their users do next.

The counters lie in the head of the histories' slot and move with its position, so no event is
counted twice. Lists are read before the deltas of the same events are sent, and those of a user who
does several things at once are asked about the first: no newer list answered it.
"""

import time
from collections.abc import Mapping, Sequence

from streamapp.agents.runtime.context import StageContext
from streamapp.core.evaluation.online import OnlineMetrics, Probe, UserSample
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import USER
from streamapp.core.messages.interaction_batch import Admitted


class OnlineEvaluation:
    """Asks the lists for the users of one interactions partition."""

    def __init__(self, outside: StageContext) -> None:
        settings = outside.settings
        self._lists = outside.lists
        self._share = settings.judged_share if outside.pipeline.makes_user_lists else 0.0
        self._within_s = settings.judged_within
        self._decay = settings.decay

    async def ask(
        self,
        some: Sequence[Admitted],
        histories: Mapping[str, bytes],
        registry: Registry,
        served: OnlineMetrics,
    ) -> None:
        """Ask the lists about what is about to be applied, and count the answers.

        Args:
            some: In their order, without users whose stored history holds them already.
            histories: Of all their users, before anything of it.
            registry: The items' ids.
            served: What is added to.

        Cost: one read of all lists together, if there is anything to ask.
        """
        if not self._share:
            return
        now = time.time()
        sample = UserSample(self._share, now - self._within_s, now + self._within_s, self._decay)
        asked: dict[str, Probe] = {}
        for news in some:
            for question in sample.probes(news, histories, registry, asked):
                asked[question.user] = question
        if not asked:
            return
        standing = await self._lists.standing(USER, list(asked))
        for question, content in zip(asked.values(), standing, strict=True):
            served.judge(question, content)
