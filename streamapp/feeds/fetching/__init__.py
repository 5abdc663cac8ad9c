"""Where a feed is: a file or an address, and its download."""
