"""What the jobs of a worker read again and again, read once for all of them."""
