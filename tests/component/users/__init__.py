"""Tests of lists for users, one partition at a time."""
