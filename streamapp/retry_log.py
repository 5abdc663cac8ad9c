"""How often a loop that retries says so in the log."""


def should_log(attempt: int) -> bool:
    """Return whether to log a failed attempt: soon, once more, and then every 30th one."""
    return attempt in {2, 8} or attempt % 30 == 0
