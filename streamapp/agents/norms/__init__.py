"""Shares the norms of items between shards."""
