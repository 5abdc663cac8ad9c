"""The messages between stages, on the app's own topics."""
