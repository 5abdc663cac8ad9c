"""The pure room: no I/O, no clock, no randomness, no logging, no Kafka, no Redis."""
