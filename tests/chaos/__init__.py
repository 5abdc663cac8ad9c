"""Chaos: random faults by a seed, under load, and an audit afterwards.

`schedule` plans the faults, `faults` makes them happen to the `crew` and the `site`, `shop` and
`producer` send events, and `judge` compares the output with the topics.
"""
