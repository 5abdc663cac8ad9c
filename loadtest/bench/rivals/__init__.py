"""The rivals of the app: each is a program that reads the same topic."""
