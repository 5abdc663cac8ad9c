"""Envelopes of other trackers, each translated to the flat form of events."""
