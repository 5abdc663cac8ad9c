"""The worker process around the stages."""
