"""Deltas become rows, and rows become item lists."""
