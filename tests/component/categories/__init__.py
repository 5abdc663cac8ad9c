"""Tests of what is popular in categories, whose shards change their owner."""
