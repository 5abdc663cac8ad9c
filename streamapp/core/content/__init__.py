"""Neighbours of a product by the words of its text."""
