"""Mutation testing: break a line on purpose, and see whether a quick test notices.

`make mutants` draws mutants of kernels, slot, scripts and partition tasks by a seed. Each runs
against the quick tests that reach its line, in a copy of the tree. The report names the survivors.
"""
