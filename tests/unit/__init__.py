"""Tests of single modules, of the repository, and of documents against code."""
