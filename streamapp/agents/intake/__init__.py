"""Event records become interaction batches."""
