"""Hypothesis streams: incremental counts equal the batch at every prefix."""
