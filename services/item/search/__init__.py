"""Search and browsing of the catalogue: an index in memory, built from Redis and following its changes.

`text` cuts texts into words, `vocabulary` mends typing errors, `words` finds items by words (SQLite FTS5),
`columns` holds what filters, orders and counts need (numpy), `engine` answers queries over both, `feed` keeps
the engine up to date. Reasons: docs/adr/0101-*.
"""
