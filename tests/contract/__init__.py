"""Tests of the private names and versions that the project depends on."""
