"""Stages and slots for tests to drive."""
