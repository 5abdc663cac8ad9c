"""Feeds of products: what a shop offers, compared with the records of the catalogue."""
