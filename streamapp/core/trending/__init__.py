"""Popularity of items, and the most popular items of each category."""
