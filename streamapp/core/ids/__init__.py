"""Numbers for ids, and the partition of an id."""
