"""The room where streams meet state: one stage a step, from records to lists."""
