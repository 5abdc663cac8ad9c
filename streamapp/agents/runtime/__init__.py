"""Runs stages: partition tasks, recovery, background tasks, throttling."""
