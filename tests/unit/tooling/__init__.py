"""Unit tests of tooling."""
