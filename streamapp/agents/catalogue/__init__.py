"""Catalogue records become updates to every shard."""
