"""The values in events: ids, times and types, read by one rule for every way in."""
