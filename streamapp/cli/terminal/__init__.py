"""The common parts of commands: tables, exit codes, output files."""
