"""The load test: replays event logs to Kafka."""
