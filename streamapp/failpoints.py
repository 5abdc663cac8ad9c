"""Failpoints: named points at which a test kills a worker, to check what survives.

`STREAMAPP_FAILPOINT=name:n` kills the process by SIGKILL when it reaches the failpoint for the n-th
time, if `STREAMAPP_FAILPOINTS_ENABLED=true`. `name:n:stop` stops it there until SIGCONT, and
`name:n:raise` raises an exception. Without the setting, a failpoint costs one comparison.
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
"""The failpoints that an event passes, in this order."""

CATALOGUE_NAMES = ("catalogue.notices-sent", "catalogue.blobs-put", "catalogue.position-moved")
"""The failpoints that a catalogue record passes before it is in the topics of the shards."""

CATEGORY_NAMES = ("neighbours.tops-put",)
"""Further failpoints, passed where items have categories."""

CONTENT_NAMES = ("content.lists-sent",)
"""The failpoints that content neighbours pass before they are in the topics of the shards."""

REBUILD_NAMES = (
    "rebuild.popularity-put",
    "rebuild.journal-written",
    "rebuild.deltas-sent",
    "rebuild.histories-copied",
    "rebuild.histories-moved",
    "rebuild.layout-written",
)
"""The failpoints that a rebuild from histories passes, in this order."""

MERGE_NAMES = ("histories.transfers-sent",)
"""The failpoints that a merge passes beside those of other events."""

EVERY_NAME = (*NAMES, *CATALOGUE_NAMES, *CATEGORY_NAMES, *CONTENT_NAMES, *MERGE_NAMES)


class Failpoints:
    """The failpoint at which this process is to die, if any."""

    def __init__(self, setting: str = "") -> None:
        name, _, rest = setting.partition(":")
        count, _, action = rest.partition(":")
        self._name = name
        self._left = int(count or 1)
        self._action = action

    def reach(self, name: str) -> None:
        """Die here if the setting names this failpoint and it is reached for the n-th time.

        Raises:
            RuntimeError: the setting asks for an exception.
        """
        if name != self._name:
            return
        self._left -= 1
        if self._left:
            return
        if self._action == "raise":
            raise RuntimeError(f"failpoint {name}")
        os.kill(os.getpid(), signal.SIGSTOP if self._action == "stop" else signal.SIGKILL)
