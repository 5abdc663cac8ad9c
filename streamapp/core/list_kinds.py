"""The kinds of lists, as keys and messages name them."""

ITEM = "item"
"""The kind of the list of an item's neighbours."""

BOUGHT_TOGETHER = "bought_together"
"""The kind of the list of what is in one basket with an item."""

BOUGHT_AFTER_VIEW = "bought_after_view"
"""The kind of the list of what those buy who look at an item."""

USER = "user"
"""The kind of the list for a user."""

TRENDING = "trending"
"""The kind of the list of what is trending."""
