"""Tests on real servers with worker processes."""
