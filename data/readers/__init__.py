"""One module a kind of input. Each gives the same `Rows` of texts; all later code knows only those."""
