"""Interaction batches become histories and deltas."""
