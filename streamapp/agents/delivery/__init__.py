"""Sends the messages of the partition tasks of a worker together."""
