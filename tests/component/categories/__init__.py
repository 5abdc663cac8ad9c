"""Tests of category tops, while shards change their owner."""
