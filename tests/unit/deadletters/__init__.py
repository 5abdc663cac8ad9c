"""Unit tests of dead letters as commands read them."""
