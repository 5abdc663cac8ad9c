"""Unit tests of embedded."""
