"""The kinds of lists, by the names in keys and messages."""

ITEM = "item"
"""The neighbours of an item."""

BOUGHT_TOGETHER = "bought_together"
"""The items that share baskets with an item."""

BOUGHT_AFTER_VIEW = "bought_after_view"
"""The items that users bought who viewed an item."""

USER = "user"
"""The list for a user."""

TRENDING = "trending"
"""The trending items, of all or of one category."""
