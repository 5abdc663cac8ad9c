"""The history of a user, its revision by new interactions, and time decay."""
