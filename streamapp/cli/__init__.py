"""The command line room. A command's signature is in `main`, what it does in a file of its own."""
