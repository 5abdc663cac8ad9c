"""What commands share at the terminal: tables, exit codes, files that they write."""
