"""The command line: `main` has the signatures, and each command has a file of its own."""
