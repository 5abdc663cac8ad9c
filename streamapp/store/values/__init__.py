"""The values of a slot that have a format of their own."""
