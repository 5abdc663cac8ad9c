"""Makes rows, norms and lists again from the histories that Redis holds (ADR-0031)."""
