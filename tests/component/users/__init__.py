"""Tests of user lists, one partition at a time."""
