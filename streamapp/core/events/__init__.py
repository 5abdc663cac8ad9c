"""What trackers and catalogues send, checked record by record."""
