"""The reasons that entries of lists give for being there."""

SIMILAR = "similar"
"""Items of the user's history have it in their lists."""

TRENDING = "trending"
"""It is trending, and the list had room."""

CONTENT = "content"
"""The texts of two items are alike, in a list of an item that has no neighbours yet."""
