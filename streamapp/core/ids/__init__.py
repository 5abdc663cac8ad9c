"""Numbers of items, and the partition or shard of an id."""
