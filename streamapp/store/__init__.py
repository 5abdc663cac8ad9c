"""The Redis layer: keys, scripts and their guarantees."""
