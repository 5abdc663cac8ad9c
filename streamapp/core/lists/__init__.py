"""Rows and histories become ranked lists, and lists become JSON."""
