"""`streamapp deadletters`: lists, shows and replays dead letters."""
