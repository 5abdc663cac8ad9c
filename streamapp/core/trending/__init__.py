"""Popularity of items, and the top of each category."""
