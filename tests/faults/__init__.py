"""One story per file: a fault that a deployment survives, with exact counts at the end."""
