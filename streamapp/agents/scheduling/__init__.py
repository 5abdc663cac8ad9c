"""When work runs: due times, shares of time, and the wait for input that changes."""
