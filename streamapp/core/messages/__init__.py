"""The messages between stages, encoded and decoded."""
