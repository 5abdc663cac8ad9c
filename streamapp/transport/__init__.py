"""The Kafka room: record batches in, confirmed messages out. Every private name of Faust and
aiokafka that the project uses is used here, and pinned by `tests/contract`."""
