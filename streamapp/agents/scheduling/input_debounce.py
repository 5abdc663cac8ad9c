"""Decides when to recompute derived data: when its inputs stop changing, or after a while."""

_POLLS = 3
"""How often within the interval the version of the inputs is read."""

_SLOWER = 2
"""Factor of the time between polls while nothing has to be done. A change waits for the poll that
finds it, and for one more that finds nothing else: together one interval at most."""

_PATIENCE = 10
"""Intervals after which a pass begins while the inputs change all the time, by default."""


class InputDebounce:
    """Finds the moment at which the inputs of a pass stop changing.

    A pass that begins while its inputs change would have to run again soon. So it begins when two
    polls return the same version, or when the last pass began long ago.

    Args:
        interval_s: Seconds within which a pass should begin once its inputs stopped changing.
        now_s: Monotonic time in seconds.
        patience: Intervals after which a pass begins while the inputs change all the time.

    Attributes:
        poll_s: Seconds between two polls while a pass has something to do.
        idle_poll_s: Seconds between two polls while no pass has.
        changed_at: Monotonic time in seconds of the poll that found the current version.
        is_idle: Whether the last poll found the version of the poll before it.
    """

    def __init__(self, interval_s: float, now_s: float, patience: int = _PATIENCE) -> None:
        self.poll_s = interval_s / _POLLS
        self.idle_poll_s = _SLOWER * self.poll_s
        self.changed_at = now_s
        self.is_idle = False
        self._interval_s = interval_s
        self._patience = patience
        self._version = self._finished = ""
        self._ran_at = now_s

    def is_finished(self, version: str) -> bool:
        """Say whether a pass has dealt with the inputs of this version."""
        return version == self._finished

    def ready(
        self, version: str, now_s: float, *, quiet: bool = True, urgent: bool = False
    ) -> bool:
        """Take in a poll; say whether a pass should begin.

        Args:
            version: Names the state of the inputs; "" if there are none.
            now_s: Monotonic time in seconds, after the version was read.
            quiet: Whether the caller itself is idle; if not, only patience begins a pass.
            urgent: Whether to wait for one interval at most.
        """
        self.is_idle = version == self._version
        if not self.is_idle:
            self._version, self.changed_at = version, now_s
        patience_s = (1 if urgent else self._patience) * self._interval_s
        impatient = now_s >= self._ran_at + patience_s
        return not self.is_finished(version) and (impatient or (self.is_idle and quiet))

    def ran(self, now_s: float) -> None:
        """Remember that a pass ran, or begins, at a monotonic time in seconds."""
        self._ran_at = now_s

    def finish(self, version: str) -> None:
        """Remember that a pass dealt with the inputs of this version; they need no other one."""
        self._finished = version
