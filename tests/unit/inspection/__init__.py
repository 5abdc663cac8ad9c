"""Unit tests of inspection."""
