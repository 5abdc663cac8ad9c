"""The names of the reasons that entries of lists carry."""

SIMILAR = "similar"
"""The entry is in the list of an item of the user's history."""

TRENDING = "trending"
"""The entry is trending, and the list of the user had space."""

CONTENT = "content"
"""The texts of two items are alike; the first has no neighbours by counts yet."""
