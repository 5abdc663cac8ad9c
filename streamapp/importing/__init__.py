"""Importing: the lines of files become flat events on the event topics."""
