"""Histories and item lists become user lists."""
