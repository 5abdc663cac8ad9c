"""Code that several suites share: oracles, generators, an in-memory pipeline."""
