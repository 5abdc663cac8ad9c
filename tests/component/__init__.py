"""One stage against a real Redis and a fake broker."""
