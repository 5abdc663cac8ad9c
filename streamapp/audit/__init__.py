"""The audit room: the batch truth of an event log, and what differs from it in Redis.

The counts are computed here from scratch, by scipy: nothing of the kernels is used for them.
"""
