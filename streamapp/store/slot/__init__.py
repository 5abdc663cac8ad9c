"""One hash slot of Redis: its keys, its head, and the scripts that move its position."""
