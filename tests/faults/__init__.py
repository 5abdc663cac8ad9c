"""One story a file: what a deployment survives, with exact counts at the end."""
