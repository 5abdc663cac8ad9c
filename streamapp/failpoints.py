"""Failpoints: named places where a worker can be made to die, for tests of what survives.

`STREAMAPP_FAILPOINT=name:n` kills the process, as SIGKILL does, when it reaches the place for the
n-th time; `name:n:stop` lets it sleep there until SIGCONT, and `name:n:raise` raises an exception.
Without the setting, a place costs one comparison.
"""

import os
import signal

NAMES = (
    "agent.batch-taken",
    "intake.cut-sent",
    "intake.position-moved",
    "histories.deltas-sent",
    "histories.blobs-put",
    "histories.position-moved",
    "user-lists.replaced",
    "user-lists.sent",
    "neighbours.deltas-applied",
    "neighbours.rows-put",
    "neighbours.position-moved",
    "publication.lists-replaced",
    "publication.lists-sent",
    "trending.replaced",
    "trending.sent",
    "consumer.commit-due",
)
"""Every place, in the order in which an event passes them."""

CATALOGUE_NAMES = ("catalogue.notices-sent", "catalogue.blobs-put", "catalogue.position-moved")
"""Every place that a record of the catalogue passes before it is in the log of shards."""

CATEGORY_NAMES = ("neighbours.tops-put",)
"""Every further place, where items have categories."""

CONTENT_NAMES = ("content.lists-sent",)
"""Every place that content neighbours pass before they are in the log of shards."""

EVERY_NAME = (*NAMES, *CATALOGUE_NAMES, *CATEGORY_NAMES, *CONTENT_NAMES)


class Failpoints:
    """The place where this process is to die, if any."""

    def __init__(self, setting: str = "") -> None:
        name, _, rest = setting.partition(":")
        count, _, action = rest.partition(":")
        self._name = name
        self._left = int(count or 1)
        self._action = action

    def reach(self, name: str) -> None:
        """Die here if this is the place and the time.

        Raises:
            RuntimeError: the setting says so.
        """
        if name != self._name:
            return
        self._left -= 1
        if self._left:
            return
        if self._action == "raise":
            raise RuntimeError(f"failpoint {name}")
        os.kill(os.getpid(), signal.SIGSTOP if self._action == "stop" else signal.SIGKILL)
