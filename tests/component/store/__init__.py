"""Tests of what the store does in a real Redis."""
