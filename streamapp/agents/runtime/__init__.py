"""What runs a stage: partition tasks, recovery, background tasks, throttling."""
