"""Co-occurrence rows and item norms, with and without decay."""
