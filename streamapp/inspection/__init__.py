"""Reads or removes the whole state, for commands and the audit."""
