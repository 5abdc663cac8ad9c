"""Unit tests of agents."""
