"""The Kafka room: record batches in, confirmed messages out.

Every private name of Faust and aiokafka that the project uses is used here or in `streamapp.app`,
and is pinned by a contract test.
"""
