"""The arithmetic of the app, without I/O, clock, randomness or logging.

The packages in the order of their dependencies; each imports only those before it:

* `list_kinds`: the kinds of lists.
* `arrays`: array types, tables of columns, and the compiler of kernels.
* `ids`: numbers of items, their roles, and the partition or shard of an id.
* `histories`: the history of a user, and its revision by new interactions (`revise`).
* `events`: event and catalogue records become interactions and products, or are refused.
* `messages`: interaction batches, deltas, catalogue updates and content neighbours on the wire.
* `evaluation`: online hit rates, and association measures.
* `counts`: co-occurrence rows and item norms of a shard, with and without decay.
* `trending`: popularity of items, and the most popular items of each category.
* `lists`: rows become lists of items (`rank`), these become lists for users (`blend`), and JSON.
* `content`: the products that are near a product by the words of its text.
* `shard`: all state of one shard (`Shard`).

One click passes through them in this order: `events.EventReader`, `messages.InteractionBatch`,
`histories.revise`, `messages.Delta`, `shard.Shard`, `lists.rank`, `lists.blend`.
"""
