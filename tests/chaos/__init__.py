"""Chaos: random faults by a seed, under load, and what is left of exactness afterwards.

`schedule` says what happens when, `faults` makes it happen to the `crew` and the `site`, `shop`
and `producer` keep events coming, and `judge` compares what came out with what the topics hold.
"""
