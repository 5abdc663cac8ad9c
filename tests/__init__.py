"""The tests of streamapp."""
