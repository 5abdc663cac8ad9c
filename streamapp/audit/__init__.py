"""The batch truth of an event log, and how the state in Redis differs from it.

The counts are computed from scratch, by scipy. No kernel of the worker is used for them.
"""
