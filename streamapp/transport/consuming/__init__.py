"""Faust and aiokafka become a consumer that yields record batches."""
