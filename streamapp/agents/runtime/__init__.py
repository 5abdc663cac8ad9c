"""Runs stages: partition tasks, the opening of slots, gap checks, background tasks."""
