"""The Redis room: keys, scripts and what they promise."""
