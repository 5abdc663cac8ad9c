"""All state of one shard, and what is known of its published lists."""
