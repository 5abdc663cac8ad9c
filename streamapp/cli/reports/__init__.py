"""The commands that change nothing: what the app holds, how far it is, and whether it is right."""
