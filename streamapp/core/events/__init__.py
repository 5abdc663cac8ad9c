"""Event and catalogue records become interactions and products, or are refused."""
