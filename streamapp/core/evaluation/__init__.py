"""How good lists are: online hit rates and association measures."""
