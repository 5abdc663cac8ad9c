"""Quality of lists: online hit rates, and association measures."""
