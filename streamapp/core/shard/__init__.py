"""The aggregate of one shard, and which items it may show."""
