"""Neighbours by the words of the catalogue."""
