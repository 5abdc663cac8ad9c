"""The arithmetic of the app, without I/O, clock, randomness or logging.

The packages in the order of their dependencies; each imports only those before it:

* `arrays`: array types, tables of columns, and the compiler of kernels.
* `ids`: numbers of items, and the partition or shard of an id.
* `list_kinds`: the kinds of lists.
* `histories`: the history of a user, and its revision by new interactions (`revise`).
* `events`: event and catalogue records become interactions and products, or are refused.
* `messages`: interaction batches, deltas and catalogue updates on the wire.
* `evaluation`: online hit rates, and association measures.
* `counts`: co-occurrence rows and item norms of a shard, with and without decay.
* `trending`: popularity of items, and the most popular items of each category.
* `lists`: rows become lists of items (`rank`), these become lists for users (`blend`), and JSON.
* `content`: neighbours of a product by the words of its text.
* `shard`: all state of one shard (`Shard`).

One click passes through them in this order: `events.EventReader`, `messages.InteractionBatch`,
`histories.revise`, `messages.Delta`, `shard.Shard`, `lists.rank`, `lists.blend`.
"""
