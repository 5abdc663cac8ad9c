"""The benchmark: scenarios with permanent ids, on servers of their own."""
