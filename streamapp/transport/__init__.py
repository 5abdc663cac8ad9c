"""Kafka: record batches in, acknowledged messages out.

Every private name of Faust and aiokafka that the project uses is used here or in
`streamapp.worker`. A contract test pins each of them.
"""
